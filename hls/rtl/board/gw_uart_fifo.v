// Bytes that wait for the network, in one block memory. Says `credit` for one cycle whenever another CHUNK of bytes has
// left, so that the host never sends more than fits; `overflow` stays 1 once it did.
module gw_uart_fifo #(
    parameter ADDRESS = 9,  // 2**ADDRESS bytes fit
    parameter CHUNK = 7     // 2**CHUNK bytes of a credit
) (
    input  wire       clk,
    input  wire       rst,
    input  wire       push,
    input  wire [7:0] push_data,
    output reg        pop_valid = 0,
    input  wire       pop_ready,
    output reg  [7:0] pop_data,
    output wire       credit,
    output reg        overflow = 0
);
    reg [7:0] memory [0:(1 << ADDRESS)-1];
    reg [ADDRESS:0] head = 0;   // one bit more than a position: tells full from empty
    reg [ADDRESS:0] tail = 0;

    wire pop = pop_valid && pop_ready;
    wire full = (head ^ tail) == {1'b1, {ADDRESS{1'b0}}};
    wire fetch = head != tail && !pop_valid;

    assign credit = fetch && &head[CHUNK-1:0];

    always @(posedge clk) begin
        if (push)
            memory[tail[ADDRESS-1:0]] <= push_data;
        if (!pop_valid)
            pop_data <= memory[head[ADDRESS-1:0]];
    end

    always @(posedge clk) begin
        if (push && !full)
            tail <= tail + 1'b1;
        if (push && full)
            overflow <= 1;
        if (fetch) begin
            head <= head + 1'b1;
            pop_valid <= 1;
        end
        if (pop)
            pop_valid <= 0;
        if (rst) begin
            head <= 0;
            tail <= 0;
            pop_valid <= 0;
            overflow <= 0;
        end
    end
endmodule
