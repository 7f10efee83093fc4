// Signed number times unsigned multiplier, of any width, as a sum of narrow products: LEVELS cycles later than those.
//
// The operands are cut into unsigned limbs of LIMB bits (the top limb of `a` is signed); with STYLE "mult18" every
// product of limbs is one MULT18X18D (LIMB 17), with "mac16" one SB_MAC16 (LIMB 15), with "lut" logic.
module gw_wide_multiplier #(
    parameter A = 24,         // bits of a
    parameter M = 16,         // bits of m
    parameter LIMB = 17,
    parameter NA = 2,         // limbs of a: ceil((A - 1) / LIMB), at least 1
    parameter NM = 1,         // limbs of m: ceil(M / LIMB)
    parameter LEVELS = 1,     // ceil(log2(NA * NM))
    parameter STYLE = "mult18"
) (
    input  wire                  clk,
    input  wire signed [A-1:0]   a,
    input  wire [M-1:0]          m,
    output wire signed [A+M-1:0] product
);
    localparam WIDE = (NA + NM) * LIMB + 2;
    wire [NA*LIMB:0] wide_a = {{(NA*LIMB+1){a[A-1]}}, a};
    wire [NM*LIMB-1:0] wide_m = {{(NM*LIMB){1'b0}}, m};
    wire [NA*NM*WIDE-1:0] terms;
    wire signed [WIDE+LEVELS-1:0] sum;

    genvar i;
    genvar j;
    generate
        for (i = 0; i < NA; i = i + 1) begin : limb_a
            // The top limb takes the sign, the others a 0 in its place.
            wire signed [LIMB:0] part = {i == NA - 1 ? wide_a[NA*LIMB] : 1'b0, wide_a[i*LIMB +: LIMB]};
            for (j = 0; j < NM; j = j + 1) begin : limb_m
                wire signed [2*LIMB+1:0] partial;
                wire signed [WIDE-1:0] extended = partial;
                gw_multiplier #(.A(LIMB + 1), .A_SIGNED(1), .B(LIMB + 1), .STYLE(STYLE)) multiplier (
                    .clk(clk), .a(part), .b({1'b0, wide_m[j*LIMB +: LIMB]}), .product(partial)
                );
                assign terms[(i*NM+j)*WIDE +: WIDE] = extended <<< ((i + j) * LIMB);
            end
        end
    endgenerate

    gw_adder_tree #(.N(NA * NM), .WIDTH(WIDE), .LEVELS(LEVELS)) tree (.clk(clk), .in(terms), .sum(sum));
    assign product = sum[A+M-1:0];
endmodule
