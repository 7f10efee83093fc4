// One channel of the vector unit: operand to 8-bit result in eleven cycles, one operand a cycle.
//
// Cycle by cycle: the operand (0), less its zero points (1), product (2), reduction over the window (3), plus bias (4),
// times multiplier as four 18-bit products (5), their sum (6), plus addend (7), shifted right (8), rounded, plus the zero
// point of the result (9), clamped (10). Controls come in the cycle in which they are used; `weight` comes beside the
// operand. The constants of a channel are registers of the unit, which change behind the last operand that uses them.
module gw_vector_lane (
    input  wire               clk,
    input  wire signed [31:0] operand,        // cycle 0
    input  wire signed [8:0]  weight,         // cycle 0
    input  wire signed [8:0]  operand_zero,   // subtracted from it
    input  wire signed [8:0]  other_zero,     // subtracted from the weight, or from operand b of a product
    input  wire               takes_product,  // the value is the product, not the operand
    input  wire               multiply,
    input  wire               maximum,
    input  wire               reduce,         // over the window
    input  wire               add,            // the second operand's product joins the first one's
    input  wire               first,          // cycle 2: position of the window
    input  wire               table_result,   // the value is looked up
    input  wire [7:0]         looked_up,      // cycle 3
    input  wire signed [31:0] bias,           // cycle 3
    input  wire signed [31:0] multiplier,     // cycle 3
    input  wire               second,         // cycle 6: the operand is b
    input  wire signed [63:0] addend,         // cycle 6
    input  wire [5:0]         shift,          // cycle 6, used in the next
    input  wire               round_half,     // add half of what is shifted out
    input  wire signed [15:0] result_zero,
    input  wire signed [15:0] low,
    input  wire signed [15:0] high,
    output reg  [7:0]         result          // cycle 10
);
    // 1, 2: (operand - zero) * (weight - zero), or (a - zero) * (b - zero) in the cycle of b.
    reg signed [8:0] x, y, x_before;
    reg signed [31:0] raw, value;
    wire signed [17:0] product = (multiply ? x_before : x) * y;
    always @(posedge clk) begin
        x <= operand[8:0] - operand_zero;
        y <= (multiply ? operand[8:0] : weight) - other_zero;
        x_before <= x;
        raw <= operand;
        value <= takes_product ? {{14{product[17]}}, product} : raw;
    end

    // 3, 4
    reg signed [31:0] total, biased;
    always @(posedge clk) begin
        if (maximum)
            total <= first || value > total ? value : total;
        else
            total <= value + (reduce && !first ? total : 32'sd0);
        biased <= table_result ? {24'd0, looked_up} : total + bias;
    end

    // 5, 6: unsigned low limbs of 17 bits, signed high ones of 15.
    reg signed [31:0] factor;
    always @(posedge clk)
        factor <= multiplier;
    wire signed [17:0] biased_low = {1'b0, biased[16:0]};
    wire signed [17:0] biased_high = {{3{biased[31]}}, biased[31:17]};
    wire signed [17:0] factor_low = {1'b0, factor[16:0]};
    wire signed [17:0] factor_high = {{3{factor[31]}}, factor[31:17]};
    reg signed [35:0] low_low, low_high, high_low, high_high;
    reg signed [63:0] scaled;
    wire signed [36:0] middle = low_high + high_low;
    wire signed [63:0] outer = {high_high[29:0], low_low[33:0]};
    wire signed [63:0] inner = {{10{middle[36]}}, middle, 17'd0};
    always @(posedge clk) begin
        low_low <= biased_low * factor_low;
        low_high <= biased_low * factor_high;
        high_low <= biased_high * factor_low;
        high_high <= biased_high * factor_high;
        scaled <= outer + inner;
    end

    // 7, 8: the bit below the shifted number rounds half up.
    reg signed [63:0] sum;
    reg signed [64:0] shifted;
    reg [5:0] places;
    always @(posedge clk) begin
        sum <= scaled + (add && second ? sum : addend);
        places <= shift;
        shifted <= $signed({sum, 1'b0}) >>> places;
    end

    // 9, 10: saturated to 18 bits first, which leaves every clamp of 16 bits as it is.
    wire fits = shifted[64:18] == {47{shifted[64]}};
    wire signed [17:0] near = fits ? shifted[18:1] : {shifted[64], {17{!shifted[64]}}};
    reg signed [19:0] placed;
    always @(posedge clk) begin
        placed <= near + result_zero + $signed({1'b0, round_half && shifted[0]});
        result <= placed > high ? high[7:0] : placed < low ? low[7:0] : placed[7:0];
    end
endmodule
