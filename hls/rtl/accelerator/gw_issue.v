// Queue of one unit, and the start of its instructions in order.
//
// `start` in cycle t: the head of the queue has its waits met and the unit is free. `take` in t + 1: the unit loads its
// counters from `head`, and `current` holds the instruction from t + 2 on. `done` in cycle d: another one may start in
// d + 1, the cycle in which `completed` first counts this one.
module gw_issue #(
    parameter WORDS = 14,         // words of an instruction the unit reads
    parameter DEPTH = 4,
    parameter ADDRESS = 2,        // 2**ADDRESS >= DEPTH
    parameter WAIT = 32           // bit of the first of the four waits, 32 bits each
) (
    input  wire                clk,
    input  wire                rst,
    input  wire                push,
    output wire                ready,
    input  wire [WORDS*32-1:0] pushed,
    input  wire [127:0]        completed,
    output wire                start,
    output reg                 take,
    output wire [WORDS*32-1:0] head,
    output reg  [WORDS*32-1:0] current,
    input  wire                done
);
    reg busy = 0;
    wire waiting;
    wire [3:0] met;

    initial take = 0;

    gw_fifo #(.WIDTH(WORDS * 32), .DEPTH(DEPTH), .ADDRESS(ADDRESS)) queue (
        .clk(clk), .rst(rst),
        .push_valid(push), .push_ready(ready), .push_data(pushed),
        .pop_valid(waiting), .pop_ready(take), .pop_data(head)
    );

    genvar u;
    generate
        for (u = 0; u < 4; u = u + 1) begin : unit
            assign met[u] = completed[u*32 +: 32] >= head[WAIT+u*32 +: 32];
        end
    endgenerate

    assign start = waiting && !busy && &met;

    always @(posedge clk) begin
        take <= start && !rst;
        busy <= (start || (busy && !done)) && !rst;
        if (take)
            current <= head;
    end
endmodule
