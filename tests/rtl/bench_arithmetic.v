// Benches of what computes: products, sums, shifts, requantization, pooling, element-wise stages, tables.

// Every pair of operands where they have 16 bits together or fewer (a token a cycle), else random ones and the corners.
module bench_multiplier #(
    parameter A = 8,
    parameter A_SIGNED = 1,
    parameter B = 8,
    parameter STYLE = "lut",
    parameter CYCLES = 2,
    parameter TERNARY = 0
) (
    input wire clk, input wire rst, output reg done, output reg failed
);
    localparam ALL = A + B <= 16;
    localparam LIMIT = ALL ? 1 << (A + B) : 20000;
    reg [31:0] count;
    wire [63:0] random;
    bench_random #(.SEED(A * 64 + B)) dice (clk, rst, random);
    wire corner = random[63:60] == 0;
    wire [A-1:0] a = ALL ? count[A-1:0] : corner ? {random[1], {(A-1){random[0]}}} : random[A-1:0];
    wire [B-1:0] pick = ALL ? count >> A : random[59:58] == 0 ? {random[31], {(B-1){random[30]}}} : random[30 +: B];
    wire [B-1:0] b = TERNARY ? (pick[0] ? (pick[B-1] ? {B{1'b1}} : {{(B-1){1'b0}}, 1'b1}) : {B{1'b0}}) : pick;
    wire signed [A+B-1:0] product;
    gw_multiplier #(.A(A), .A_SIGNED(A_SIGNED), .B(B), .STYLE(STYLE)) multiplier (clk, a, b, product);
    wire signed [A:0] wide_a = {A_SIGNED ? a[A-1] : 1'b0, a};
    wire signed [B-1:0] signed_b = b;
    wire signed [A+B:0] right = wide_a * signed_b;
    wire signed [A+B-1:0] late;
    wire known;
    bench_late #(.WIDTH(A + B), .CYCLES(CYCLES)) wait_ (clk, rst, right[A+B-1:0], late, known);
    always @(posedge clk)
        if (rst) begin
            count <= 0;
            done <= 0;
            failed <= 0;
        end else begin
            count <= count + 1;
            done <= done || count == LIMIT + 3;
            if (known && product !== late)
                failed <= 1;
        end
endmodule

module bench_wide_multiplier #(
    parameter A = 24,
    parameter M = 16,
    parameter LIMB = 17,
    parameter NA = 2,
    parameter NM = 1,
    parameter LEVELS = 1,
    parameter STYLE = "mult18",
    parameter CYCLES = 3
) (
    input wire clk, input wire rst, output reg done, output reg failed
);
    reg [31:0] count;
    wire [63:0] random, more;
    bench_random #(.SEED(A * 64 + M)) dice (clk, rst, random);
    bench_random #(.SEED(A + M)) second (clk, rst, more);
    wire signed [A-1:0] a = more[63:61] == 0 ? {random[1], {(A-1){random[0]}}} : random[A-1:0];
    wire [M-1:0] m = more[60:58] == 0 ? {M{more[0]}} : more[M-1:0];
    wire signed [A+M-1:0] product;
    gw_wide_multiplier #(.A(A), .M(M), .LIMB(LIMB), .NA(NA), .NM(NM), .LEVELS(LEVELS), .STYLE(STYLE)) multiplier (
        clk, a, m, product
    );
    wire signed [M:0] wide_m = {1'b0, m};
    wire signed [A+M-1:0] right = a * wide_m;
    wire signed [A+M-1:0] late;
    wire known;
    bench_late #(.WIDTH(A + M), .CYCLES(CYCLES + LEVELS)) wait_ (clk, rst, right, late, known);
    always @(posedge clk)
        if (rst) begin
            count <= 0;
            done <= 0;
            failed <= 0;
        end else begin
            count <= count + 1;
            done <= done || count == 20000;
            if (known && product !== late)
                failed <= 1;
        end
endmodule

module bench_adder_tree #(
    parameter N = 5,
    parameter WIDTH = 6,
    parameter LEVELS = 3
) (
    input wire clk, input wire rst, output reg done, output reg failed
);
    reg [31:0] count;
    wire [63:0] random, corner;
    bench_random #(.SEED(N)) dice (clk, rst, random);
    bench_random #(.SEED(N + 100)) second (clk, rst, corner);
    // Now and then all numbers are the smallest or the largest.
    wire [N*WIDTH-1:0] in = corner[63:60] == 0 ? {N{corner[0], {(WIDTH-1){!corner[0]}}}} : random[N*WIDTH-1:0];
    wire signed [WIDTH+LEVELS-1:0] sum, late;
    reg signed [WIDTH+LEVELS-1:0] right;
    integer i;
    always @* begin
        right = 0;
        for (i = 0; i < N; i = i + 1)
            right = right + $signed(in[i*WIDTH +: WIDTH]);
    end
    wire known;
    gw_adder_tree #(.N(N), .WIDTH(WIDTH), .LEVELS(LEVELS)) tree (clk, in, sum);
    generate
        if (LEVELS == 0) begin : now
            assign late = right;
            assign known = !rst;
        end else begin : later
            bench_late #(.WIDTH(WIDTH + LEVELS), .CYCLES(LEVELS)) wait_ (clk, rst, right, late, known);
        end
    endgenerate
    always @(posedge clk)
        if (rst) begin
            count <= 0;
            done <= 0;
            failed <= 0;
        end else begin
            count <= count + 1;
            done <= done || count == 5000;
            if (known && sum !== late)
                failed <= 1;
        end
endmodule

module bench_shift #(
    parameter WIDTH = 20,
    parameter AMOUNT = 3,
    parameter STAGES = 2
) (
    input wire clk, input wire rst, output reg done, output reg failed
);
    reg [31:0] count;
    wire [63:0] random;
    bench_random #(.SEED(WIDTH)) dice (clk, rst, random);
    wire signed [WIDTH-1:0] in = random[63 -: WIDTH];
    wire [AMOUNT-1:0] amount = STAGES == 0 ? {AMOUNT{1'b0}} : random[AMOUNT-1:0];
    wire signed [WIDTH-1:0] right = in >>> amount;
    wire signed [WIDTH-1:0] out, late;
    wire known;
    gw_shift #(.WIDTH(WIDTH), .AMOUNT(AMOUNT), .STAGES(STAGES)) shift (clk, in, amount, out);
    generate
        if (STAGES == 0) begin : now
            assign late = right;
            assign known = !rst;
        end else begin : later
            bench_late #(.WIDTH(WIDTH), .CYCLES(STAGES)) wait_ (clk, rst, right, late, known);
        end
    endgenerate
    always @(posedge clk)
        if (rst) begin
            count <= 0;
            done <= 0;
            failed <= 0;
        end else begin
            count <= count + 1;
            done <= done || count == 5000;
            if (known && out !== late)
                failed <= 1;
        end
endmodule

// Requantization beside its formula, in 128 bits. The constants come as text too: CONSTANTS holds a line
// {n, M, bias} of 8, 32 and 64 bits for every element of the round.
module bench_rescale #(
    parameter LANES = 1, ACC = 24, BIAS = 24, SUM = 25, M = 0, LIMB = 17, NA = 2, NM = 1, LEVELS = 1,
    parameter STYLE = "mult18",
    parameter AMOUNT = 0, STAGES = 0, SHIFT_MIN = 0, SCALED = 24, OUT = 8,
    parameter MODE = "add",
    parameter signed [63:0] ROUND = 0,
    parameter signed [63:0] LOW = -128, HIGH = 127,
    parameter WRAP = 0, POSITIONS = 1, ADDRESS = 1, LIMB_CYCLES = 3,
    parameter FILE = "", CONSTANTS = "",
    parameter ROUNDING = "half_up",
    parameter signed [63:0] ZERO_POINT = 0,
    parameter signed [63:0] ACC_LOW = 0, ACC_HIGH = 0,
    parameter LATENCY = 4,
    parameter CYCLES = 66000
) (
    input wire clk, input wire rst, output reg done, output reg failed
);
    reg [31:0] count;
    reg [31:0] position;
    reg [103:0] constants [0:POSITIONS*LANES-1];
    initial $readmemh(CONSTANTS, constants);
    wire [63:0] choice;
    bench_random #(.SEED(ACC * 64 + OUT)) dice (clk, rst, choice);
    wire in_valid = choice[62:61] != 0;
    wire [LANES*ACC-1:0] in;
    wire [LANES*OUT-1:0] right, out, late;
    wire out_valid, known, late_valid;
    genvar k;
    generate
        for (k = 0; k < LANES; k = k + 1) begin : lane
            wire [63:0] random;
            bench_random #(.SEED(ACC * 1000 + k)) lane_dice (clk, rst, random);
            wire [103:0] entry = constants[position * LANES + k];
            wire signed [127:0] bias = $signed(entry[63:0]);
            wire signed [127:0] m = $signed({1'b0, entry[95:64]});
            wire [7:0] n = entry[103:96];
            // All accumulators where there are few; else random ones, ends, and the neighbourhood of a half: an acc + bias
            // near a multiple of a power of two.
            wire signed [127:0] span = $signed({1'b0, ACC_HIGH - ACC_LOW + 64'sd1});
            wire signed [127:0] anywhere = $signed({64'b0, count < 65536 ? {32'b0, count} : random}) % span + ACC_LOW;
            wire signed [127:0] near = (((anywhere + bias) >>> random[62:58]) <<< random[62:58]) - bias + $signed(random[57:56]);
            wire signed [127:0] chosen = random[63] && near >= ACC_LOW && near <= ACC_HIGH ? near
                : random[57:52] == 0 ? (random[0] ? ACC_HIGH : ACC_LOW) : anywhere;
            wire signed [127:0] v = (chosen + bias) * m;
            wire signed [127:0] half = n != 0 ? 128'sd1 <<< (n - 1) : 128'sd0;
            wire signed [127:0] down = v >>> n;
            wire signed [127:0] rest = v - (down <<< n);
            wire up = ROUNDING == "half_up" ? n != 0 && rest >= half
                : ROUNDING == "half_even" ? rest > half || n != 0 && rest == half && down[0]
                : ROUNDING == "toward_zero" ? v < 0 && rest != 0 : 0;
            wire signed [127:0] q = down + $signed({1'b0, up}) + ZERO_POINT;
            wire signed [127:0] clamped = q < LOW ? LOW : q > HIGH ? HIGH : q;
            assign in[k*ACC +: ACC] = chosen[ACC-1:0];
            assign right[k*OUT +: OUT] = WRAP ? q[OUT-1:0] : clamped[OUT-1:0];
        end
    endgenerate
    wire [ADDRESS-1:0] address;
    wire [LANES*(BIAS+M+AMOUNT)-1:0] entries;
    gw_sequence #(.WORDS(POSITIONS), .ADDRESS(ADDRESS)) order (clk, rst, in_valid, address);
    gw_rom #(
        .WIDTH(LANES * (BIAS + M + AMOUNT)), .ROWS(POSITIONS), .ROW(ADDRESS), .ADDRESS(ADDRESS), .BLOCK(0), .FILE(FILE)
    ) rom (clk, address, entries);
    gw_rescale #(
        .LANES(LANES), .ACC(ACC), .BIAS(BIAS), .SUM(SUM), .M(M), .LIMB(LIMB), .NA(NA), .NM(NM), .LEVELS(LEVELS),
        .STYLE(STYLE), .CYCLES(LIMB_CYCLES), .AMOUNT(AMOUNT), .STAGES(STAGES), .SHIFT_MIN(SHIFT_MIN), .SCALED(SCALED),
        .MODE(MODE), .ROUND(ROUND), .OUT(OUT),
        .LOW(LOW), .HIGH(HIGH), .WRAP(WRAP)
    ) rescale (clk, rst, in_valid && !rst, in, entries, out_valid, out);
    bench_late #(.WIDTH(LANES * OUT + 1), .CYCLES(LATENCY)) wait_ (clk, rst, {in_valid, right}, {late_valid, late}, known);
    always @(posedge clk)
        if (rst) begin
            count <= 0;
            position <= 0;
            done <= 0;
            failed <= 0;
        end else begin
            count <= count + 1;
            done <= done || count == CYCLES;
            if (in_valid)
                position <= position == POSITIONS - 1 ? 0 : position + 1;
            if (out_valid !== (known && late_valid) || out_valid && out !== late)
                failed <= 1;
        end
endmodule

// Turns of 1 to 4 words, with gaps.
module bench_pool #(
    parameter MAXIMUM = 1,
    parameter X_SIGNED = 1
) (
    input wire clk, input wire rst, output reg done, output reg failed
);
    reg [31:0] count;
    wire [63:0] random;
    bench_random #(.SEED(MAXIMUM * 2 + X_SIGNED)) dice (clk, rst, random);
    reg [1:0] place, last;
    wire valid = random[63:62] != 0;
    wire word_last = place == last;
    wire [9:0] word = random[59:58] == 0 ? {10{random[57]}} : random[9:0];
    wire out_valid, known, ends;
    wire [19:0] out, late;
    reg [19:0] right;
    reg signed [9:0] best [0:1];
    reg signed [9:0] x, value;
    integer c;
    always @* begin
        right = 0;
        for (c = 0; c < 2; c = c + 1) begin
            x = X_SIGNED ? {{5{word[5*c+4]}}, word[5*c +: 5]} : {5'b0, word[5*c +: 5]};
            value = place == 0 ? x : MAXIMUM ? (x > best[c] ? x : best[c]) : best[c] + x;
            right[10*c +: 10] = value;
        end
    end
    gw_pool #(.MAXIMUM(MAXIMUM), .CHANNELS(2), .LANES(2), .X(5), .X_SIGNED(X_SIGNED), .ACC(10), .COUNT(1)) pool (
        clk, rst, valid && !rst, place == 0, word_last, word, out_valid, out
    );
    bench_late #(.WIDTH(21), .CYCLES(1)) wait_ (clk, rst, {valid && word_last, right}, {ends, late}, known);
    always @(posedge clk)
        if (rst) begin
            count <= 0;
            place <= 0;
            last <= 1;
            done <= 0;
            failed <= 0;
        end else begin
            count <= count + 1;
            done <= done || count == 4000;
            if (valid) begin
                place <= word_last ? 0 : place + 1;
                {best[1], best[0]} <= right;
                if (word_last)
                    last <= random[50:49];
            end
            if (out_valid !== (known && ends) || out_valid && out !== late)
                failed <= 1;
        end
endmodule

// 5 x0 - 3 x1 + x0 / 1, in four terms: 4 x0 + x0 - 4 x1 + x1.
module bench_combine (
    input wire clk, input wire rst, output reg done, output reg failed
);
    reg [31:0] count;
    wire [63:0] random;
    bench_random #(.SEED(9)) dice (clk, rst, random);
    wire [27:0] in = random[63:61] == 0 ? {{2{random[60], {6{!random[60]}}}}, {2{random[59], {6{!random[59]}}}}} : random[27:0];
    wire [23:0] out, right, late;
    wire known;
    gw_combine #(
        .OPERANDS(2), .LANES(2), .X(7), .TERMS(4), .LEVELS(2), .TERM(10), .ACC(12),
        .OPERAND(32'h01010000), .SHIFT(32'h00020002), .NEGATIVE(4'b0100)
    ) combine (clk, in, out);
    genvar k;
    generate
        for (k = 0; k < 2; k = k + 1) begin : lane
            wire signed [11:0] x0 = $signed(in[7*k +: 7]);
            wire signed [11:0] x1 = $signed(in[14+7*k +: 7]);
            assign right[12*k +: 12] = 5 * x0 - 3 * x1;
        end
    endgenerate
    bench_late #(.WIDTH(24), .CYCLES(3)) wait_ (clk, rst, right, late, known);
    always @(posedge clk)
        if (rst) begin
            count <= 0;
            done <= 0;
            failed <= 0;
        end else begin
            count <= count + 1;
            done <= done || count == 4000;
            if (known && out !== late)
                failed <= 1;
        end
endmodule

module bench_product #(
    parameter STYLE = "lut",
    parameter CYCLES = 3,
    parameter signed [31:0] ZERO_A = -7,
    parameter signed [31:0] ZERO_B = 15
) (
    input wire clk, input wire rst, output reg done, output reg failed
);
    reg [31:0] count;
    wire [63:0] random;
    bench_random #(.SEED(10)) dice (clk, rst, random);
    wire [9:0] a = {random[52:48], count[4:0]};
    wire [9:0] b = {random[62:58], count[9:5]};
    wire [27:0] out, right, late;
    wire known;
    gw_product #(.LANES(2), .X(5), .ZERO_A(ZERO_A), .ZERO_B(ZERO_B), .ACC(14), .STYLE(STYLE)) product (clk, a, b, out);
    genvar k;
    generate
        for (k = 0; k < 2; k = k + 1) begin : lane
            wire signed [31:0] wide_a = $signed(a[5*k +: 5]);
            wire signed [31:0] wide_b = $signed(b[5*k +: 5]);
            wire signed [31:0] whole = (wide_a - ZERO_A) * (wide_b - ZERO_B);
            assign right[14*k +: 14] = whole[13:0];
        end
    endgenerate
    bench_late #(.WIDTH(28), .CYCLES(CYCLES)) wait_ (clk, rst, right, late, known);
    always @(posedge clk)
        if (rst) begin
            count <= 0;
            done <= 0;
            failed <= 0;
        end else begin
            count <= count + 1;
            done <= done || count == 4000;
            if (known && out !== late)
                failed <= 1;
        end
endmodule

// FILE: word i is 37 i + 11, entries from the smallest x on.
module bench_table #(
    parameter X_SIGNED = 1,
    parameter BLOCK = 0,
    parameter FILE = ""
) (
    input wire clk, input wire rst, output reg done, output reg failed
);
    reg [31:0] count;
    wire [11:0] in = {count[7:2], count[5:0]};
    wire [15:0] out, right, late;
    wire known;
    gw_table #(.LANES(2), .X(6), .X_SIGNED(X_SIGNED), .OUT(8), .BLOCK(BLOCK), .FILE(FILE)) table_ (clk, in, out);
    genvar k;
    generate
        for (k = 0; k < 2; k = k + 1) begin : lane
            wire [31:0] entry = in[6*k +: 6] + (X_SIGNED ? (in[6*k+5] ? -32 : 32) : 0);
            assign right[8*k +: 8] = 37 * entry + 11;
        end
    endgenerate
    bench_late #(.WIDTH(16), .CYCLES(2)) wait_ (clk, rst, right, late, known);
    always @(posedge clk)
        if (rst) begin
            count <= 0;
            done <= 0;
            failed <= 0;
        end else begin
            count <= count + 1;
            done <= done || count == 300;
            if (known && out !== late)
                failed <= 1;
        end
endmodule
