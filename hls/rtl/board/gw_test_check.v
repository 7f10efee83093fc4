// Compares what arrives with the tokens of a file.
module gw_test_check #(
    parameter WIDTH = 8,
    parameter DEPTH = 16,
    parameter ADDRESS = 4,  // 2**ADDRESS >= DEPTH
    parameter FILE = ""     // hexadecimal tokens, one a line
) (
    input  wire             clk,
    input  wire             rst,
    input  wire             valid,
    output wire             ready,
    input  wire [WIDTH-1:0] data,
    output wire             done,
    output reg              failed = 0
);
    reg [WIDTH-1:0] memory [0:(1 << ADDRESS)-1];
    reg [WIDTH-1:0] expected;          // memory[head] of the cycle before
    reg [WIDTH-1:0] arrived = 0;
    reg [ADDRESS:0] head = 0;
    reg held = 0;              // `arrived` waits for it

    initial $readmemh(FILE, memory, 0, DEPTH - 1);

    assign ready = !held;
    assign done = head == DEPTH && !held;

    always @(posedge clk)
        expected <= memory[head[ADDRESS-1:0]];

    always @(posedge clk) begin
        if (valid && ready) begin
            arrived <= data;
            held <= 1;
            if (head == DEPTH)
                failed <= 1;       // more than expected
        end
        if (held) begin
            held <= 0;
            if (head != DEPTH) begin
                head <= head + 1'b1;
                if (arrived != expected)
                    failed <= 1;
            end
        end
        if (rst) begin
            head <= 0;
            held <= 0;
            failed <= 0;
        end
    end
endmodule
