// Benches of what remembers: memories, ROMs, the reordering of frames, and the sliding windows.

// Random writes and reads, never of one address in one cycle; what was read stays while nothing is read.
module bench_memory #(
    parameter BLOCK = 1
) (
    input wire clk, input wire rst, output reg done, output reg failed
);
    reg [31:0] count;
    wire [63:0] random;
    bench_random #(.SEED(BLOCK + 5)) dice (clk, rst, random);
    reg [9:0] model [0:15];
    reg [15:0] written;
    reg [9:0] right;
    reg known;
    wire write = random[63:62] != 0;
    wire read = random[61] && written[random[23:20]] && !(write && random[19:16] == random[23:20]);
    wire [9:0] data;
    gw_memory #(.WIDTH(10), .DEPTH(16), .ADDRESS(4), .BLOCK(BLOCK)) memory (
        clk, write, random[19:16], random[33:24], read, random[23:20], data
    );
    always @(posedge clk)
        if (rst) begin
            count <= 0;
            written <= 0;
            known <= 0;
            done <= 0;
            failed <= 0;
        end else begin
            count <= count + 1;
            done <= done || count == 4000;
            if (write) begin
                model[random[19:16]] <= random[33:24];
                written[random[19:16]] <= 1;
            end
            if (read) begin
                right <= model[random[23:20]];
                known <= 1;
            end
            if (known && data !== right)
                failed <= 1;
        end
endmodule

// FILE: word i is 37 i + 11; a row holds COLUMNS of them, ROWS words apart.
module bench_rom #(
    parameter BLOCK = 1,
    parameter ROWS = 64, COLUMNS = 1, ROW = 6, LATE = 0,
    parameter FILE = ""
) (
    input wire clk, input wire rst, output reg done, output reg failed
);
    reg [31:0] count;
    wire [63:0] random;
    bench_random #(.SEED(BLOCK + 15)) dice (clk, rst, random);
    wire [7:0] data, late;
    wire [31:0] word = 37 * random[5:0] + 11;
    wire known;
    gw_rom #(
        .WIDTH(8), .ROWS(ROWS), .COLUMNS(COLUMNS), .ROW(ROW), .ADDRESS(6), .BLOCK(BLOCK), .LATE(LATE), .FILE(FILE)
    ) rom (clk, random[5:0], data);
    bench_late #(.WIDTH(8), .CYCLES(2 + LATE)) wait_ (clk, rst, word[7:0], late, known);
    always @(posedge clk)
        if (rst) begin
            count <= 0;
            done <= 0;
            failed <= 0;
        end else begin
            count <= count + 1;
            done <= done || count == 2000;
            if (known && data !== late)
                failed <= 1;
        end
endmodule

// Copies of an address that count together, and one after the other, as long as `next` lets them.
module bench_sequence #(
    parameter WORDS = 11,
    parameter ADDRESS = 4,
    parameter COPIES = 3
) (
    input wire clk, input wire rst, output reg done, output reg failed
);
    reg [31:0] count, place;
    wire [63:0] random;
    bench_random #(.SEED(WORDS + COPIES)) dice (clk, rst, random);
    wire next = random[63:62] != 0;
    wire [COPIES*ADDRESS-1:0] address;
    gw_sequence #(.WORDS(WORDS), .ADDRESS(ADDRESS), .COPIES(COPIES)) sequence_ (clk, rst, next, address);
    always @(posedge clk)
        if (rst) begin
            count <= 0;
            place <= 0;
            done <= 0;
            failed <= 0;
        end else begin
            count <= count + 1;
            done <= done || count == 2000;
            if (next)
                place <= place == WORDS - 1 ? 0 : place + 1;
            if (address !== {COPIES{place[ADDRESS-1:0]}})
                failed <= 1;
        end
endmodule

// WORDS words once, then again and again; what comes later is not taken.
module bench_keep #(
    parameter WORDS = 5,
    parameter ADDRESS = 3,
    parameter PUSH = 256,
    parameter POP = 256
) (
    input wire clk, input wire rst, output reg done, output reg failed
);
`include "mix.vh"
    wire in_valid, in_ready, out_valid;
    wire [7:0] in_data, out_data;
    wire [31:0] taken;
    wire [63:0] random;
    reg out_ready;
    bench_random #(.SEED(POP + 21)) dice (clk, rst, random);
    bench_source #(.BITS(8), .SEED(8), .CHANCE(PUSH)) source (clk, rst, in_valid, in_ready, in_data, taken);
    gw_keep #(.WIDTH(8), .WORDS(WORDS), .ADDRESS(ADDRESS)) keep (
        clk, rst, in_valid, in_ready, in_data, out_valid, out_ready, out_data
    );
    reg [31:0] place, words, cycle;
    wire [63:0] element = mix(8, place);
    always @(posedge clk)
        if (rst) begin
            place <= 0;
            words <= 0;
            cycle <= 0;
            out_ready <= 0;
            done <= 0;
            failed <= 0;
        end else begin
            cycle <= cycle + 1;
            out_ready <= random[40:32] < POP + 256 * (POP == 256);
            if (out_valid && out_data !== element[7:0] || taken > WORDS)
                failed <= 1;
            if (out_valid && out_ready) begin
                place <= place == WORDS - 1 ? 0 : place + 1;
                words <= words + 1;
                done <= done || words == 40 * WORDS;
                // Nothing waits: two cycles pass between the first time and the second, none later.
                if (PUSH == 256 && POP == 256 && words == 40 * WORDS && cycle > 40 * WORDS + 4)
                    failed <= 1;
            end
        end
endmodule

// Frames in another order; FILE holds the words {fill, address}.
module bench_gather #(
    parameter TOKENS_IN = 6,
    parameter TOKENS_OUT = 9,
    parameter ADDRESS = 3,
    parameter POSITION = 4,
    parameter BLOCK = 1,
    parameter PUSH = 256,
    parameter POP = 256,
    parameter FILE = ""
) (
    input wire clk, input wire rst, output reg done, output reg failed
);
`include "mix.vh"
    localparam FRAMES = 40;
    reg [ADDRESS:0] order [0:TOKENS_OUT-1];
    initial $readmemh(FILE, order);
    wire in_valid, in_ready, may_start, start, made_valid, push_ready, pop_valid;
    wire [7:0] in_data, made, pop_data;
    wire [31:0] taken;
    wire [63:0] random;
    reg pop_ready;
    bench_random #(.SEED(POP + 3)) dice (clk, rst, random);
    bench_source #(.BITS(8), .SEED(4), .CHANCE(PUSH)) source (clk, rst, in_valid, in_ready, in_data, taken);
    wire [POSITION-1:0] position;
    wire [ADDRESS:0] given;
    gw_sequence #(.WORDS(TOKENS_OUT), .ADDRESS(POSITION)) positions (clk, rst, start, position);
    gw_rom #(
        .WIDTH(ADDRESS + 1), .ROWS(TOKENS_OUT), .ROW(POSITION), .ADDRESS(POSITION), .BLOCK(0), .FILE(FILE)
    ) entries (clk, position, given);
    gw_gather #(
        .WIDTH(8), .TOKENS_IN(TOKENS_IN), .TOKENS_OUT(TOKENS_OUT), .ADDRESS(ADDRESS), .POSITION(POSITION), .FILL(8'h5a),
        .BLOCK(BLOCK)
    ) gather (clk, rst, in_valid, in_ready, in_data, may_start, start, given, made_valid, made);
    gw_credit #(.CREDITS(8), .TAKE(1), .COUNT(4)) credit (clk, rst, start, pop_valid && pop_ready, may_start);
    gw_fifo #(.WIDTH(8), .DEPTH(8), .ADDRESS(3)) fifo (
        clk, rst, made_valid, push_ready, made, pop_valid, pop_ready, pop_data
    );
    reg [31:0] frame, place, cycle;
    wire [ADDRESS:0] entry = order[place];
    wire [63:0] element = mix(4, frame * TOKENS_IN + entry[ADDRESS-1:0]);
    wire [7:0] right = entry[ADDRESS] ? 8'h5a : element[7:0];
    always @(posedge clk)
        if (rst) begin
            cycle <= 0;
            frame <= 0;
            place <= 0;
            pop_ready <= 0;
            done <= 0;
            failed <= 0;
        end else begin
            cycle <= cycle + 1;
            pop_ready <= random[40:32] < POP + 256 * (POP == 256);
            if (made_valid && !push_ready || pop_valid && pop_data !== right)
                failed <= 1;
            if (pop_valid && pop_ready) begin
                place <= place == TOKENS_OUT - 1 ? 0 : place + 1;
                if (place == TOKENS_OUT - 1) begin
                    frame <= frame + 1;
                    done <= done || frame == FRAMES - 1;
                    // Never pausing outside, frames follow each other without a gap as long as one is filled in time.
                    if (PUSH == 256 && POP == 256 && frame == FRAMES - 1
                        && cycle > TOKENS_IN + TOKENS_OUT + (FRAMES - 1) * (TOKENS_OUT > TOKENS_IN ? TOKENS_OUT + 3 : TOKENS_IN) + 8)
                        failed <= 1;
                end
            end
        end
endmodule

// Sliding windows beside seven nested loops over a padded image. Word w of pixel (y, x) of frame f is element
// ((f HEIGHT + y) WIDTH + x) CW + w of the stream.
module bench_window #(
    parameter ADDRESS = 7,
    parameter BLOCK = 1,
    parameter CW = 1, TOP = 0, LEFT = 0, HEIGHT = 1, WIDTH = 1, PADDED_HEIGHT = 1, PADDED_WIDTH = 1,
    parameter SPAN_Y = 1, SPAN_X = 1, STRIDE_Y = 1, STRIDE_X = 1,
    parameter N0 = 1, N1 = 1, N2 = 1, N3 = 1, N4 = 1, N5 = 1, N6 = 1,
    parameter [ADDRESS-1:0] STEP0 = 1, STEP1 = 0, STEP2 = 0, STEP3 = 0, STEP4 = 0, STEP5 = 0, STEP6 = 0, STEP7 = 0,
    parameter RELEASE_X = 1, RELEASE_Y = 1, RELEASE_FRAME = 1, SPACE = 9, WINDOWS = 8,
    parameter DILATION_Y = 1, DILATION_X = 1, GROUP = 0,     // words from group to group
    parameter PUSH = 256,
    parameter TURN = 256,                                    // chance of `turn_ready`
    parameter READ = 256                                     // chance of `read_ready`
) (
    input wire clk, input wire rst, output reg done, output reg failed
);
`include "mix.vh"
    localparam FRAMES = 4;
    wire in_valid, in_ready, turn_start, reading, read_valid, word_valid, word_first, word_last;
    wire [7:0] in_data, word;
    wire [31:0] taken;
    wire [63:0] random;
    reg turn_ready, read_ready;
    bench_random #(.SEED(TURN + 13)) dice (clk, rst, random);
    bench_source #(.BITS(8), .SEED(6), .CHANCE(PUSH)) source (clk, rst, in_valid, in_ready, in_data, taken);
    gw_window #(
        .WORD(8), .ADDRESS(ADDRESS), .BLOCK(BLOCK), .PAD(8'ha5), .CW(CW), .TOP(TOP), .LEFT(LEFT), .HEIGHT(HEIGHT),
        .WIDTH(WIDTH), .PADDED_HEIGHT(PADDED_HEIGHT), .PADDED_WIDTH(PADDED_WIDTH), .SPAN_Y(SPAN_Y), .SPAN_X(SPAN_X),
        .STRIDE_Y(STRIDE_Y), .STRIDE_X(STRIDE_X), .N0(N0), .N1(N1), .N2(N2), .N3(N3), .N4(N4), .N5(N5), .N6(N6),
        .STEP0(STEP0), .STEP1(STEP1), .STEP2(STEP2), .STEP3(STEP3), .STEP4(STEP4), .STEP5(STEP5), .STEP6(STEP6),
        .STEP7(STEP7), .RELEASE_X(RELEASE_X), .RELEASE_Y(RELEASE_Y), .RELEASE_FRAME(RELEASE_FRAME), .SPACE(SPACE),
        .WINDOWS(WINDOWS)
    ) window (
        clk, rst, in_valid, in_ready, in_data, turn_ready, turn_start, read_ready, reading, read_valid, word_valid,
        word_first, word_last, word
    );
    integer f, i0, i1, i2, i3, i4, i5, i6;
    wire [31:0] y = i6 * STRIDE_Y + i2 * DILATION_Y;
    wire [31:0] x = i5 * STRIDE_X + i1 * DILATION_X;
    wire [31:0] w = i4 * GROUP + i0;
    wire in_image = y >= TOP && y < TOP + HEIGHT && x >= LEFT && x < LEFT + WIDTH;
    wire [63:0] element = mix(6, ((f * HEIGHT + y - TOP) * WIDTH + x - LEFT) * CW + w);
    wire [7:0] right = in_image ? element[7:0] : 8'ha5;
    wire first = i0 == 0 && i1 == 0 && i2 == 0;
    wire last = i0 == N0 - 1 && i1 == N1 - 1 && i2 == N2 - 1;
    // `word` comes two cycles after `read_valid`, which comes one after the start of a turn.
    wire start_late, known_start, read_late, known_read;
    bench_late #(.WIDTH(1), .CYCLES(1)) after_start (clk, rst, reading, start_late, known_start);
    bench_late #(.WIDTH(1), .CYCLES(2)) after_read (clk, rst, read_valid, read_late, known_read);
    always @(posedge clk)
        if (rst) begin
            {f, i0, i1, i2, i3, i4, i5, i6} <= 0;
            turn_ready <= 0;
            read_ready <= 0;
            done <= 0;
            failed <= 0;
        end else begin
            turn_ready <= random[40:32] < TURN + 256 * (TURN == 256);
            read_ready <= random[51:43] < READ + 256 * (READ == 256);
            if (known_start && start_late !== read_valid || turn_start && !(turn_ready && reading) || reading && !read_ready)
                failed <= 1;
            if (known_read && word_valid !== read_late)
                failed <= 1;
            if (word_valid) begin
                if (word !== right || word_first !== first || word_last !== last)
                    failed <= 1;
                i0 <= i0 == N0 - 1 ? 0 : i0 + 1;
                if (i0 == N0 - 1) begin
                    i1 <= i1 == N1 - 1 ? 0 : i1 + 1;
                    if (i1 == N1 - 1) begin
                        i2 <= i2 == N2 - 1 ? 0 : i2 + 1;
                        if (i2 == N2 - 1) begin
                            i3 <= i3 == N3 - 1 ? 0 : i3 + 1;
                            if (i3 == N3 - 1) begin
                                i4 <= i4 == N4 - 1 ? 0 : i4 + 1;
                                if (i4 == N4 - 1) begin
                                    i5 <= i5 == N5 - 1 ? 0 : i5 + 1;
                                    if (i5 == N5 - 1) begin
                                        i6 <= i6 == N6 - 1 ? 0 : i6 + 1;
                                        if (i6 == N6 - 1) begin
                                            f <= f + 1;
                                            done <= done || f == FRAMES - 1;
                                        end
                                    end
                                end
                            end
                        end
                    end
                end
            end
        end
endmodule
