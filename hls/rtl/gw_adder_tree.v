// Sum of N signed numbers, a register behind every level: LEVELS cycles late (N = 1: a wire).
module gw_adder_tree #(
    parameter N = 4,
    parameter WIDTH = 16,
    parameter LEVELS = 2      // ceil(log2 N)
) (
    input  wire                           clk,
    input  wire [N*WIDTH-1:0]             in,
    output wire signed [WIDTH+LEVELS-1:0] sum
);
    genvar l;
    genvar i;
    generate
        for (l = 0; l <= LEVELS; l = l + 1) begin : level
            localparam COUNT = (N + (1 << l) - 1) >> l;
            localparam BITS = WIDTH + l;
            wire [COUNT*BITS-1:0] value;
            if (l == 0) begin : leaves
                assign value = in;
            end else begin : nodes
                localparam BELOW = (N + (1 << (l-1)) - 1) >> (l-1);
                for (i = 0; i < COUNT; i = i + 1) begin : node
                    wire signed [BITS-2:0] a = level[l-1].value[2*i*(BITS-1) +: BITS-1];
                    reg signed [BITS-1:0] result;
                    if (2 * i + 1 < BELOW) begin : pair
                        wire signed [BITS-2:0] b = level[l-1].value[(2*i+1)*(BITS-1) +: BITS-1];
                        always @(posedge clk)
                            result <= a + b;
                    end else begin : single
                        always @(posedge clk)
                            result <= a;
                    end
                    assign value[i*BITS +: BITS] = result;
                end
            end
        end
    endgenerate
    assign sum = level[LEVELS].value;
endmodule
