// Sliding windows over a stream of pixels: pads, keeps the last rows in a ring of words, and reads every window word by
// word in the order a layer wants them.
//
// Writer. Tokens (one word each, CW words a pixel) arrive in raster order; the writer sets PAD words around them, so the
// ring holds rows of the padded image and every address below is an affine function of the loop counters. A word is
// written a cycle, as long as the ring has room. Where a window ends before the first pixel of the image, the padding of a
// frame waits for that pixel's first token: a frame that does not come makes no results.
//
// Reader. Seven nested loops, the innermost first:
//     word in the group (N0), kernel column (N1), kernel row (N2), fold of the outputs (N3), group (N4), window column
//     (N5), window row (N6).
// A *turn* is N0*N1*N2 reads: what one accumulation needs. A *window* is N3*N4 turns. One read a cycle in which
// `read_ready` says that what belongs to it is there; a turn starts when `turn_ready` says that its results have room, the
// first turn of a window also waits for the window's last pixel.
// When the reader leaves a window it gives back the words no later window needs.
//
// Timing: a read in cycle t (`reading`; `turn_start`, if it is a turn's first) leaves as `word` in cycle t + 3;
// `read_valid` stands in cycle t + 1, so a ROM of two cycles that moves on with it delivers beside `word`.
module gw_window #(
    parameter WORD = 8,          // bits of a word
    parameter ADDRESS = 7,       // the ring has 2**ADDRESS words
    parameter BLOCK = 1,         // ring in block memory
    parameter [WORD-1:0] PAD = 0,
    // Image, in words and pixels: rows of WIDTH pixels between LEFT and the rest of PADDED_WIDTH; rows likewise.
    parameter CW = 1,
    parameter TOP = 0,
    parameter LEFT = 0,
    parameter HEIGHT = 1,
    parameter WIDTH = 1,
    parameter PADDED_HEIGHT = 1,
    parameter PADDED_WIDTH = 1,
    // Pixels from the first to the last of a window, and from window to window.
    parameter SPAN_Y = 1,
    parameter SPAN_X = 1,
    parameter STRIDE_Y = 1,
    parameter STRIDE_X = 1,
    // Loops: counts, and address steps when a loop advances (and those inside it start again), modulo the ring.
    parameter N0 = 1, N1 = 1, N2 = 1, N3 = 1, N4 = 1, N5 = 1, N6 = 1,
    parameter [ADDRESS-1:0] STEP0 = 1, STEP1 = 0, STEP2 = 0, STEP3 = 0, STEP4 = 0, STEP5 = 0, STEP6 = 0, STEP7 = 0,
    // Words given back at the end of a window, of a row of windows, of the frame.
    parameter RELEASE_X = 1,
    parameter RELEASE_Y = 1,
    parameter RELEASE_FRAME = 1,
    parameter SPACE = 9,         // bits that hold the ring and the largest release together
    parameter WINDOWS = 8        // bits that hold the number of windows the ring can complete ahead
) (
    input  wire             clk,
    input  wire             rst,
    input  wire             in_valid,
    output wire             in_ready,
    input  wire [WORD-1:0]  in_data,
    input  wire             turn_ready,
    output wire             turn_start,
    input  wire             read_ready,
    output wire             reading,
    output reg              read_valid,
    output reg              word_valid,
    output reg              word_first,     // of a turn
    output reg              word_last,      // of a turn
    output reg  [WORD-1:0]  word
);
    localparam BW = $clog2(CW + 1);
    localparam BX = $clog2(PADDED_WIDTH + STRIDE_X + 1);
    localparam BY = $clog2(PADDED_HEIGHT + STRIDE_Y + 1);

    // ---- writer ------------------------------------------------------------------------------------------------------
    reg [BW-1:0] cw = 0;
    reg [BX-1:0] px = 0;
    reg [BY-1:0] py = 0;
    reg [BX-1:0] hit_x = SPAN_X - 1;   // the column and the row that complete the next windows
    reg [BY-1:0] hit_y = SPAN_Y - 1;
    reg [ADDRESS-1:0] write_address = 0;
    reg [SPACE-1:0] space = 1 << ADDRESS;
    reg has_space = 1;
    reg pad_x = LEFT != 0, pad_y = TOP != 0;

    localparam PADDED = PADDED_WIDTH != WIDTH || PADDED_HEIGHT != HEIGHT;
    wire write_pad = PADDED && (pad_x || pad_y);
    localparam EARLY = SPAN_Y <= TOP || (SPAN_Y == TOP + 1 && SPAN_X <= LEFT);
    wire frame_begins = cw == 0 && px == 0 && py == 0;
    wire write = has_space && (write_pad && !(EARLY && frame_begins) || in_valid);
    wire last_cw = cw == CW - 1;
    wire last_px = px == PADDED_WIDTH - 1;
    wire last_py = py == PADDED_HEIGHT - 1;
    wire completes = write && last_cw && px == hit_x && py == hit_y;
    wire [BX-1:0] next_px = last_px ? {BX{1'b0}} : px + 1'b1;
    wire [BY-1:0] next_py = last_py ? {BY{1'b0}} : py + 1'b1;

    assign in_ready = has_space && !write_pad;

    always @(posedge clk) begin
        if (write) begin
            write_address <= write_address + 1'b1;
            cw <= last_cw ? {BW{1'b0}} : cw + 1'b1;
            if (last_cw) begin
                px <= next_px;
                pad_x <= next_px < LEFT || next_px >= LEFT + WIDTH;
                hit_x <= last_px ? SPAN_X - 1 : px == hit_x ? hit_x + STRIDE_X : hit_x;
                if (last_px) begin
                    py <= next_py;
                    pad_y <= next_py < TOP || next_py >= TOP + HEIGHT;
                    hit_y <= last_py ? SPAN_Y - 1 : py == hit_y ? hit_y + STRIDE_Y : hit_y;
                end
            end
        end
        if (rst) begin
            write_address <= 0;
            cw <= 0;
            px <= 0;
            py <= 0;
            pad_x <= LEFT != 0;
            pad_y <= TOP != 0;
            hit_x <= SPAN_X - 1;
            hit_y <= SPAN_Y - 1;
        end
    end

    // ---- reader: which read, and may it happen -----------------------------------------------------------------------
    localparam B0 = $clog2(N0 + 1);
    localparam B1 = $clog2(N1 + 1);
    localparam B2 = $clog2(N2 + 1);
    localparam B3 = $clog2(N3 + 1);
    localparam B4 = $clog2(N4 + 1);
    localparam B5 = $clog2(N5 + 1);
    localparam B6 = $clog2(N6 + 1);
    reg [B0-1:0] c0 = 0;
    reg [B1-1:0] c1 = 0;
    reg [B2-1:0] c2 = 0;
    reg [B3-1:0] c3 = 0;
    reg [B4-1:0] c4 = 0;
    reg [B5-1:0] c5 = 0;
    reg [B6-1:0] c6 = 0;
    reg inside_turn = 0;     // between the first and the last read of a turn
    reg inside_window = 0;   // between the first and the last turn of a window
    reg [WINDOWS-1:0] windows = 0;
    reg has_window = 0;

    wire e0 = c0 == N0 - 1;
    wire e1 = c1 == N1 - 1;
    wire e2 = c2 == N2 - 1;
    wire e3 = c3 == N3 - 1;
    wire e4 = c4 == N4 - 1;
    wire e5 = c5 == N5 - 1;
    wire e6 = c6 == N6 - 1;
    wire turn_end = e0 && e1 && e2;
    wire window_end = turn_end && e3 && e4;

    wire read = read_ready && (inside_turn || turn_ready && (inside_window || has_window));
    wire window_start = read && !inside_turn && !inside_window;
    assign turn_start = read && !inside_turn;
    assign reading = read;

    always @(posedge clk) begin
        if (read) begin
            inside_turn <= !turn_end;
            inside_window <= !window_end;
            c0 <= e0 ? {B0{1'b0}} : c0 + 1'b1;
            if (e0)
                c1 <= e1 ? {B1{1'b0}} : c1 + 1'b1;
            if (e0 && e1)
                c2 <= e2 ? {B2{1'b0}} : c2 + 1'b1;
            if (turn_end)
                c3 <= e3 ? {B3{1'b0}} : c3 + 1'b1;
            if (turn_end && e3)
                c4 <= e4 ? {B4{1'b0}} : c4 + 1'b1;
            if (window_end)
                c5 <= e5 ? {B5{1'b0}} : c5 + 1'b1;
            if (window_end && e5)
                c6 <= e6 ? {B6{1'b0}} : c6 + 1'b1;
        end
        if (rst) begin
            inside_turn <= 0;
            inside_window <= 0;
            c0 <= 0;
            c1 <= 0;
            c2 <= 0;
            c3 <= 0;
            c4 <= 0;
            c5 <= 0;
            c6 <= 0;
        end
    end

    // Completed windows the reader has not begun. Whether there are any is known without the sum: it would come last.
    always @(posedge clk) begin
        windows <= windows + {{WINDOWS-1{1'b0}}, completes} - {{WINDOWS-1{1'b0}}, window_start};
        has_window <= completes || has_window && !(window_start && windows == 1);
        if (rst) begin
            windows <= 0;
            has_window <= 0;
        end
    end

    // ---- one cycle later: the address, and room for the writer -------------------------------------------------------
    reg [ADDRESS-1:0] step = 0;
    reg [ADDRESS-1:0] read_address = 0;
    reg [SPACE-1:0] release_words = 0;
    reg releases = 0;
    reg read_first = 0, read_last = 0;

    initial begin
        read_valid = 0;
        word_valid = 0;
        word_first = 0;
        word_last = 0;
    end

    always @(posedge clk) begin
        read_valid <= read && !rst;
        read_first <= turn_start;
        read_last <= turn_end;
        step <= !e0 ? STEP0 : !e1 ? STEP1 : !e2 ? STEP2 : !e3 ? STEP3 : !e4 ? STEP4 : !e5 ? STEP5 : !e6 ? STEP6 : STEP7;
        releases <= read && window_end;
        release_words <= !(read && window_end) ? {SPACE{1'b0}} : !e5 ? RELEASE_X : !e6 ? RELEASE_Y : RELEASE_FRAME;
        if (rst)
            read_address <= 0;
        else if (read_valid)
            read_address <= read_address + step;
    end

    // A release is never empty.
    always @(posedge clk) begin
        space <= space + release_words - {{SPACE-1{1'b0}}, write};
        has_space <= releases || has_space && !(write && space == 1);
        if (rst) begin
            space <= 1 << ADDRESS;
            has_space <= 1;
        end
    end

    // ---- the ring ----------------------------------------------------------------------------------------------------
    wire [WORD-1:0] stored;
    reg stored_valid = 0, stored_first = 0, stored_last = 0;

    gw_memory #(.WIDTH(WORD), .DEPTH(1 << ADDRESS), .ADDRESS(ADDRESS), .BLOCK(BLOCK)) ring (
        .clk(clk),
        .write_enable(write), .write_address(write_address), .write_data(write_pad ? PAD : in_data),
        .read_enable(1'b1), .read_address(read_address), .read_data(stored)
    );

    always @(posedge clk) begin
        stored_valid <= read_valid && !rst;
        stored_first <= read_first;
        stored_last <= read_last;
        word_valid <= stored_valid && !rst;
        word_first <= stored_first;
        word_last <= stored_last;
        word <= stored;
    end
endmodule
