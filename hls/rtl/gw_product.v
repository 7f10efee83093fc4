// Products of two streams, lane by lane, less their zero points: acc = (a - ZERO_A) * (b - ZERO_B), a cycle later than
// gw_multiplier makes products.
module gw_product #(
    parameter LANES = 1,
    parameter X = 9,                      // bits of both operands, signed
    parameter signed [31:0] ZERO_A = 0,
    parameter signed [31:0] ZERO_B = 0,
    parameter ACC = 20,
    parameter STYLE = "lut"
) (
    input  wire                   clk,
    input  wire [LANES*X-1:0]     a,
    input  wire [LANES*X-1:0]     b,
    output wire [LANES*ACC-1:0]   out
);
    genvar k;
    generate
        for (k = 0; k < LANES; k = k + 1) begin : lane
            wire signed [X-1:0] raw_a = a[k*X +: X];
            wire signed [X-1:0] raw_b = b[k*X +: X];
            reg signed [X:0] centred_a, centred_b;
            always @(posedge clk) begin
                centred_a <= raw_a - ZERO_A;
                centred_b <= raw_b - ZERO_B;
            end
            wire signed [2*X+1:0] product;
            gw_multiplier #(.A(X + 1), .A_SIGNED(1), .B(X + 1), .STYLE(STYLE)) multiplier (
                .clk(clk), .a(centred_a), .b(centred_b), .product(product)
            );
            wire signed [ACC-1:0] wide = product;
            assign out[k*ACC +: ACC] = wide;
        end
    endgenerate
endmodule
