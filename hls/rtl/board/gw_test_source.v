// Feeds the tokens of a file, once.
module gw_test_source #(
    parameter WIDTH = 8,
    parameter DEPTH = 16,
    parameter ADDRESS = 4,  // 2**ADDRESS >= DEPTH
    parameter FILE = ""     // hexadecimal tokens, one a line
) (
    input  wire             clk,
    input  wire             rst,
    output reg              valid = 0,
    input  wire             ready,
    output reg  [WIDTH-1:0] data
);
    reg [WIDTH-1:0] memory [0:(1 << ADDRESS)-1];
    reg [ADDRESS:0] head = 0;

    initial $readmemh(FILE, memory, 0, DEPTH - 1);

    always @(posedge clk)
        if (!valid)
            data <= memory[head[ADDRESS-1:0]];

    always @(posedge clk) begin
        if (!valid && head != DEPTH) begin
            valid <= 1;
            head <= head + 1'b1;
        end
        if (valid && ready)
            valid <= 0;
        if (rst) begin
            valid <= 0;
            head <= 0;
        end
    end
endmodule
