// Multiply-accumulate array behind a window reader: PE outputs, SIMD inputs each, a read a cycle.
//
// Every read brings a word (SIMD channels; DEPTHWISE: PE channels, one for each output) and a word of weights
// ({PE-1, SIMD-1} ... {0, 0}, the last in the least significant bits). At the end of a turn the PE sums leave as PE / LANES
// tokens.
module gw_mac #(
    parameter PE = 1,
    parameter SIMD = 1,
    parameter DEPTHWISE = 0,
    parameter LANES = 1,
    parameter X = 8,              // bits of an input
    parameter X_SIGNED = 1,
    parameter W = 8,              // bits of a weight (signed)
    parameter ACC = 24,
    parameter LEVELS = 0,         // ceil(log2 SIMD)
    parameter DIRECT = 0,         // multipliers made as STYLE; the others in logic
    parameter PAIRED = 0,         // 1: STYLE "mac16", and neighbours share an SB_MAC16; X and W are at most 8
    parameter STYLE = "mult18",
    parameter OTHER = "lut",
    parameter CYCLES = 3,         // of either multiplier
    parameter COUNT = 1           // bits that hold PE / LANES
) (
    input  wire                 clk,
    input  wire                 rst,
    input  wire                 word_valid,
    input  wire                 word_first,
    input  wire                 word_last,
    input  wire [(DEPTHWISE ? PE : SIMD)*X-1:0] word,
    input  wire [PE*SIMD*W-1:0] weights,   // beside the word
    output wire                 out_valid,
    output wire [LANES*ACC-1:0] out
);
    // Products CYCLES later, their sums LEVELS later still.
    wire add, first, last;
    gw_delay #(.WIDTH(3), .CYCLES(CYCLES + LEVELS)) flags (
        .clk(clk), .rst(rst), .in({word_valid, word_first, word_last}), .out({add, first, last})
    );

    wire [PE*ACC-1:0] sums;
    reg done = 0;
    always @(posedge clk)
        done <= add && last && !rst;

    localparam PAIRS = PAIRED ? DIRECT / 2 : 0;
    localparam PRODUCT = X + W;
    wire [PE*SIMD*PRODUCT-1:0] products;

    genvar p;
    genvar k;
    generate
        for (k = 0; k < PAIRS; k = k + 1) begin : pair
            wire [X-1:0] a0 = word[(DEPTHWISE ? 2 * k : 2 * k % SIMD)*X +: X];
            wire [X-1:0] a1 = word[(DEPTHWISE ? 2 * k + 1 : (2 * k + 1) % SIMD)*X +: X];
            wire signed [W-1:0] b0 = weights[2*k*W +: W];
            wire signed [W-1:0] b1 = weights[(2*k+1)*W +: W];
            wire signed [X:0] wide_a0 = {X_SIGNED ? a0[X-1] : 1'b0, a0};
            wire signed [X:0] wide_a1 = {X_SIGNED ? a1[X-1] : 1'b0, a1};
            wire [8:0] byte_a0 = wide_a0, byte_a1 = wide_a1;
            wire [7:0] byte_b0 = b0, byte_b1 = b1;
            wire [31:0] both;
            gw_sb_mac16_dual #(.A_SIGNED(X_SIGNED)) multiplier (
                .clk(clk), .a({byte_a1[7:0], byte_a0[7:0]}), .b({byte_b1, byte_b0}), .p(both)
            );
            assign products[2*k*PRODUCT +: 2*PRODUCT] = {both[16 +: PRODUCT], both[0 +: PRODUCT]};
        end
        for (k = 2 * PAIRS; k < PE * SIMD; k = k + 1) begin : single
            gw_multiplier #(
                .A(X), .A_SIGNED(X_SIGNED), .B(W), .STYLE(k < DIRECT ? STYLE : OTHER)
            ) multiplier (
                .clk(clk),
                .a(word[(DEPTHWISE ? k : k % SIMD)*X +: X]),
                .b(weights[k*W +: W]),
                .product(products[k*PRODUCT +: PRODUCT])
            );
        end
        for (p = 0; p < PE; p = p + 1) begin : pe
            wire signed [X+W+LEVELS-1:0] total;
            gw_adder_tree #(.N(SIMD), .WIDTH(PRODUCT), .LEVELS(LEVELS)) tree (
                .clk(clk), .in(products[p*SIMD*PRODUCT +: SIMD*PRODUCT]), .sum(total)
            );
            reg signed [ACC-1:0] accumulator;
            always @(posedge clk)
                if (add)
                    accumulator <= first ? total : accumulator + total;
            assign sums[p*ACC +: ACC] = accumulator;
        end
    endgenerate

    gw_serialize #(.PE(PE), .LANES(LANES), .WIDTH(ACC), .COUNT(COUNT)) serialize (
        .clk(clk), .rst(rst), .in_valid(done), .in(sums), .out_valid(out_valid), .out(out)
    );
endmodule
