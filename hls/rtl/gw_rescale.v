// Requantization of LANES accumulators a cycle, with constants by position:
//
//     q = clamp(round((acc + bias) * M / 2**n) + z)
//
// M = 0 bits: there is no multiplier, M is 1. MODE says how the quotient is rounded:
//
// * "add": down, or half up. Without a multiplier all of it, and z << n, is part of the bias. With one the shift goes to
//   n - 1 first, and the last bit is rounded with (x + ROUND) >> 1, ROUND = 2 z, or 2 z + 1 for half up.
// * "half_even": n is the same everywhere, there is no multiplier. (v + ROUND + v[n]) >> n with v = acc + bias and
//   ROUND = (1 << (n - 1)) - 1 + (z << n), one cycle more.
// * "toward_zero": the magnitude of acc + bias is multiplied and shifted, then takes the sign back, plus ROUND = z; two
//   cycles more without, one cycle more with a multiplier.
//
// The constants of a token are one word, lane 0 in the least significant bits, each {shift, M, bias}; shifts are stored
// less SHIFT_MIN.
module gw_rescale #(
    parameter LANES = 1,
    parameter ACC = 24,           // bits of the accumulator
    parameter BIAS = 24,          // bits of the bias
    parameter SUM = 25,           // bits of their sum
    parameter M = 0,              // bits of the multiplier, 0: none
    parameter LIMB = 17, NA = 2, NM = 1, LEVELS = 1,
    parameter STYLE = "mult18",
    parameter CYCLES = 3,         // of a product of limbs
    parameter AMOUNT = 0,         // bits of the variable part of the shift, 0: it is constant
    parameter STAGES = 0,         // ceil(AMOUNT / 2)
    parameter SHIFT_MIN = 0,      // constant part of the shift: n, or n - 1 with a multiplier and MODE "add"
    parameter SCALED = 24,        // bits of the product after the constant shift, also with ROUND added
    parameter MODE = "add",
    parameter signed [63:0] ROUND = 0,
    parameter OUT = 8,
    parameter signed [63:0] LOW = -128,
    parameter signed [63:0] HIGH = 127,
    parameter WRAP = 0            // 1: the low bits of the result, no clamp
) (
    input  wire                 clk,
    input  wire                 rst,
    input  wire                 in_valid,
    input  wire [LANES*ACC-1:0] in,
    input  wire [LANES*(BIAS+M+AMOUNT)-1:0] constants,   // two cycles after `in`
    output wire                 out_valid,
    output wire [LANES*OUT-1:0] out
);
    localparam ENTRY = BIAS + M + AMOUNT;
    localparam MULTIPLY = M == 0 ? 0 : CYCLES + LEVELS;
    localparam PRODUCT = SUM + M;
    localparam FINAL = SCALED > OUT ? SCALED : OUT;
    localparam BEFORE = MODE == "add" ? 0 : 1;   // cycles of the rounding, in front of the product and behind the shift
    localparam BEHIND = MODE == "add" ? M != 0 : MODE == "toward_zero";
    localparam LATENCY = 2 + 1 + BEFORE + MULTIPLY + STAGES + BEHIND + 1;
    localparam AMOUNT_1 = AMOUNT == 0 ? 1 : AMOUNT;

    wire [LANES*ACC-1:0] late;
    gw_delay #(.WIDTH(LANES * ACC), .CYCLES(2)) wait_for_constants (.clk(clk), .rst(1'b0), .in(in), .out(late));
    gw_delay #(.WIDTH(1), .CYCLES(LATENCY)) valid (.clk(clk), .rst(rst), .in(in_valid), .out(out_valid));

    genvar k;
    generate
        for (k = 0; k < LANES; k = k + 1) begin : lane
            wire signed [ACC-1:0] acc = late[k*ACC +: ACC];
            wire [ENTRY-1:0] entry = constants[k*ENTRY +: ENTRY];
            wire signed [BIAS-1:0] bias = entry[BIAS-1:0];
            reg signed [SUM-1:0] biased;
            reg [ENTRY-1:0] entry_late;
            always @(posedge clk) begin
                biased <= acc + bias;
                entry_late <= entry;
            end

            // What is multiplied and shifted.
            wire signed [SUM-1:0] operand;
            wire [ENTRY-1:0] held;
            wire negative;
            if (MODE == "half_even") begin : even
                reg signed [SUM-1:0] sum;
                always @(posedge clk)
                    sum <= biased + ROUND + $signed({1'b0, biased[SHIFT_MIN]});
                assign operand = sum;
                assign negative = 1'b0;
            end else if (MODE == "toward_zero") begin : magnitude
                reg signed [SUM-1:0] size;
                reg below;
                always @(posedge clk) begin
                    size <= biased < 0 ? -biased : biased;
                    below <= biased < 0;
                end
                assign operand = size;
                gw_delay #(.WIDTH(1), .CYCLES(MULTIPLY + STAGES)) wait_for_shift (
                    .clk(clk), .rst(1'b0), .in(below), .out(negative)
                );
            end else begin : whole
                assign operand = biased;
                assign negative = 1'b0;
            end
            gw_delay #(.WIDTH(ENTRY), .CYCLES(BEFORE)) hold (.clk(clk), .rst(1'b0), .in(entry_late), .out(held));

            // Multiply, shift by the constant part, and bring the variable part of the amount along.
            wire signed [PRODUCT-1:0] product;
            wire [AMOUNT_1-1:0] amount;
            if (M != 0) begin : multiply
                gw_wide_multiplier #(
                    .A(SUM), .M(M), .LIMB(LIMB), .NA(NA), .NM(NM), .LEVELS(LEVELS), .STYLE(STYLE)
                ) multiplier (.clk(clk), .a(operand), .m(held[BIAS +: M]), .product(product));
            end else begin : keep
                assign product = operand;
            end
            if (AMOUNT != 0) begin : vary
                gw_delay #(.WIDTH(AMOUNT_1), .CYCLES(MULTIPLY)) wait_for_product (
                    .clk(clk), .rst(1'b0), .in(held[ENTRY-1 -: AMOUNT_1]), .out(amount)
                );
            end else begin : constant
                assign amount = 1'b0;
            end
            wire signed [SCALED-1:0] scaled = product >>> SHIFT_MIN;
            wire signed [SCALED-1:0] shifted;
            gw_shift #(.WIDTH(SCALED), .AMOUNT(AMOUNT_1), .STAGES(STAGES)) shifter (
                .clk(clk), .in(scaled), .amount(amount), .out(shifted)
            );

            // Round, clamp.
            wire signed [FINAL-1:0] rounded;
            if (MODE == "toward_zero") begin : sign
                reg signed [SCALED-1:0] sum;
                always @(posedge clk)
                    sum <= (negative ? -shifted : shifted) + ROUND;
                assign rounded = sum;
            end else if (M != 0) begin : round
                reg signed [SCALED-1:0] sum;
                always @(posedge clk)
                    sum <= shifted + ROUND;
                assign rounded = sum >>> 1;
            end else begin : exact
                assign rounded = shifted;
            end
            reg [OUT-1:0] result;
            always @(posedge clk)
                if (WRAP)
                    result <= rounded[OUT-1:0];
                else
                    result <= rounded < LOW ? LOW[OUT-1:0] : rounded > HIGH ? HIGH[OUT-1:0] : rounded[OUT-1:0];
            assign out[k*OUT +: OUT] = result;
        end
    endgenerate
endmodule
