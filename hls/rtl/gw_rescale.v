// Requantization of LANES accumulators a cycle, with constants by position:
//
//     q = clamp(((acc + bias) * M + half) >> n) + z)          half = 1 << (n - 1), round half up
//
// M = 0 bits: there is no multiplier; `half` and `z << n` are then part of the bias, and FLOOR needs no other hardware.
// With a multiplier the shift goes to n - 1 first, and the last bit is rounded with `((x + 1 + 2 z) >> 1)`.
//
// The constants of a token lie in one word of a ROM, lane 0 in the least significant bits, each {shift, M, bias}; the
// tokens count through it. Shifts are stored less SHIFT_MIN.
module gw_rescale #(
    parameter LANES = 1,
    parameter ACC = 24,           // bits of the accumulator
    parameter BIAS = 24,          // bits of the bias
    parameter SUM = 25,           // bits of their sum
    parameter M = 0,              // bits of the multiplier, 0: none
    parameter LIMB = 17, NA = 2, NM = 1, LEVELS = 1,
    parameter STYLE = "mult18",
    parameter AMOUNT = 0,         // bits of the variable part of the shift, 0: it is constant
    parameter STAGES = 0,         // ceil(AMOUNT / 2)
    parameter SHIFT_MIN = 0,      // constant part of the shift: n, or n - 1 with a multiplier
    parameter SCALED = 24,        // bits of the product after the constant shift, also with ROUND added
    parameter ROUND = 0,          // with a multiplier: 1 + 2 z, added before the last shift by one
    parameter OUT = 8,
    parameter signed [63:0] LOW = -128,
    parameter signed [63:0] HIGH = 127,
    parameter WRAP = 0,           // 1: the low bits of the result, no clamp
    parameter POSITIONS = 1,      // words of the ROM
    parameter ADDRESS = 1,
    parameter ROWS = 1, COLUMNS = 1, ROW = 1,   // of the ROM
    parameter BLOCK = 0,
    parameter FILE = ""
) (
    input  wire                 clk,
    input  wire                 rst,
    input  wire                 in_valid,
    input  wire [LANES*ACC-1:0] in,
    output wire                 out_valid,
    output wire [LANES*OUT-1:0] out
);
    localparam ENTRY = BIAS + M + AMOUNT;
    localparam MULTIPLY = M == 0 ? 0 : 2 + LEVELS;
    localparam PRODUCT = SUM + M;
    localparam FINAL = SCALED > OUT ? SCALED : OUT;
    localparam LATENCY = 2 + 1 + MULTIPLY + STAGES + (M != 0) + 1;
    localparam AMOUNT_1 = AMOUNT == 0 ? 1 : AMOUNT;

    // The position of the token now coming; its constants come two cycles later.
    reg [ADDRESS-1:0] position = 0;
    always @(posedge clk)
        if (rst)
            position <= 0;
        else if (in_valid)
            position <= position == POSITIONS - 1 ? {ADDRESS{1'b0}} : position + 1'b1;

    wire [LANES*ENTRY-1:0] entries;
    wire [LANES*ACC-1:0] late;

    gw_rom #(
        .WIDTH(LANES * ENTRY), .ROWS(ROWS), .COLUMNS(COLUMNS), .ROW(ROW), .ADDRESS(ADDRESS), .BLOCK(BLOCK), .FILE(FILE)
    ) constants (
        .clk(clk), .address(position), .data(entries)
    );
    gw_delay #(.WIDTH(LANES * ACC), .CYCLES(2)) wait_for_constants (.clk(clk), .rst(1'b0), .in(in), .out(late));
    gw_delay #(.WIDTH(1), .CYCLES(LATENCY)) valid (.clk(clk), .rst(rst), .in(in_valid), .out(out_valid));

    genvar k;
    generate
        for (k = 0; k < LANES; k = k + 1) begin : lane
            wire signed [ACC-1:0] acc = late[k*ACC +: ACC];
            wire [ENTRY-1:0] entry = entries[k*ENTRY +: ENTRY];
            wire signed [BIAS-1:0] bias = entry[BIAS-1:0];
            reg signed [SUM-1:0] biased;
            reg [ENTRY-1:0] entry_late;
            always @(posedge clk) begin
                biased <= acc + bias;
                entry_late <= entry;
            end

            // Multiply, shift by the constant part, and bring the variable part of the amount along.
            wire signed [PRODUCT-1:0] product;
            wire [AMOUNT_1-1:0] amount;
            if (M != 0) begin : multiply
                gw_wide_multiplier #(
                    .A(SUM), .M(M), .LIMB(LIMB), .NA(NA), .NM(NM), .LEVELS(LEVELS), .STYLE(STYLE)
                ) multiplier (.clk(clk), .a(biased), .m(entry_late[BIAS +: M]), .product(product));
            end else begin : keep
                assign product = biased;
            end
            if (AMOUNT != 0) begin : vary
                gw_delay #(.WIDTH(AMOUNT_1), .CYCLES(MULTIPLY)) wait_for_product (
                    .clk(clk), .rst(1'b0), .in(entry_late[ENTRY-1 -: AMOUNT_1]), .out(amount)
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
            if (M != 0) begin : round
                reg signed [SCALED-1:0] sum;
                always @(posedge clk)
                    sum <= shifted + $signed(ROUND);
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
