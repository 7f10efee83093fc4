// Width adapter of a stream: tokens of IN lanes to tokens of OUT lanes of BITS bits, one a multiple of the other.
//
// Narrow to wide: the last narrow token makes the wide one, so a wide token leaves one cycle after it and the register
// accepts a narrow token in the cycle in which the wide one leaves. Wide to narrow: the wide token is taken when the
// last of its parts leaves.
module gw_width #(
    parameter BITS = 8,
    parameter IN = 1,
    parameter OUT = 4,
    parameter COUNT = 2     // bits of a counter to max(IN, OUT) / min(IN, OUT) - 1
) (
    input  wire                clk,
    input  wire                rst,
    input  wire                in_valid,
    output wire                in_ready,
    input  wire [IN*BITS-1:0]  in_data,
    output wire                out_valid,
    input  wire                out_ready,
    output wire [OUT*BITS-1:0] out_data
);
    localparam RATIO = IN > OUT ? IN / OUT : OUT / IN;
    localparam [COUNT-1:0] LAST = RATIO - 1;

    reg [COUNT-1:0] count = 0;

    generate
        if (IN < OUT) begin : widen
            reg [OUT*BITS-1:0] word;
            reg valid = 0;
            wire take = in_valid && in_ready;
            assign in_ready = !valid || out_ready;
            assign out_valid = valid;
            assign out_data = word;
            always @(posedge clk) begin
                if (take) begin
                    word <= {in_data, word[OUT*BITS-1:IN*BITS]};
                    count <= count == LAST ? {COUNT{1'b0}} : count + 1'b1;
                end
                if (take && count == LAST)
                    valid <= 1;
                else if (out_ready)
                    valid <= 0;
                if (rst) begin
                    count <= 0;
                    valid <= 0;
                end
            end
        end else begin : narrow
            assign out_valid = in_valid;
            assign in_ready = out_ready && count == LAST;
            assign out_data = in_data[count*OUT*BITS +: OUT*BITS];
            always @(posedge clk) begin
                if (in_valid && out_ready)
                    count <= count == LAST ? {COUNT{1'b0}} : count + 1'b1;
                if (rst)
                    count <= 0;
            end
        end
    endgenerate
endmodule
