// Credits of a pipeline that never stalls: work starts only if its results have room in the FIFO behind the pipeline.
//
// `ready` says that at least TAKE credits are left; `start` takes TAKE of them, `give` (a token leaves the FIFO)
// returns one. A credit given in cycle t can be taken from cycle t + 2 on: the reader's ready is the end of a long path,
// and nothing is added to it here.
module gw_credit #(
    parameter CREDITS = 4,  // tokens the FIFO holds
    parameter TAKE = 1,     // tokens one start makes
    parameter COUNT = 3     // bits that hold CREDITS
) (
    input  wire clk,
    input  wire rst,
    input  wire start,
    input  wire give,
    output reg  ready
);
    localparam [COUNT-1:0] ALL = CREDITS;
    localparam [COUNT-1:0] NEED = TAKE;

    reg [COUNT-1:0] credits = CREDITS;
    reg given = 0;
    wire [COUNT-1:0] next = credits + {{COUNT-1{1'b0}}, given} - (start ? NEED : {COUNT{1'b0}});

    initial ready = 1;

    always @(posedge clk) begin
        given <= give && !rst;
        credits <= rst ? ALL : next;
        ready <= rst || next >= NEED;
    end
endmodule
