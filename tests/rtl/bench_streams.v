// Benches of everything that moves tokens: FIFOs, width adapters, forks, credits, serializers, concatenation.

// A FIFO keeps order and data, holds exactly CAPACITY tokens, and passes one a cycle with LATENCY cycles.
module bench_fifo #(
    parameter BLOCK = 0,
    parameter BITS = 8,
    parameter DEPTH = 4,
    parameter ADDRESS = 2,
    parameter PUSH = 256,
    parameter POP = 256,
    parameter SEED = 1
) (
    input wire clk, input wire rst, output wire done, output wire failed
);
    localparam LATENCY = BLOCK ? 3 : 1;
    localparam CAPACITY = BLOCK ? DEPTH + 2 : DEPTH;
    localparam COUNT = 500;
    localparam HOLD = 8 * (DEPTH + 4);
    wire push_valid, push_ready, pop_valid, pop_ready, bad;
    wire [BITS-1:0] push_data, pop_data;
    wire [31:0] taken;
    bench_source #(.BITS(BITS), .SEED(SEED), .CHANCE(PUSH)) source (clk, rst, push_valid, push_ready, push_data, taken);
    generate
        if (BLOCK) begin : block
            gw_fifo_block #(.WIDTH(BITS), .DEPTH(DEPTH), .ADDRESS(ADDRESS)) fifo (
                clk, rst, push_valid, push_ready, push_data, pop_valid, pop_ready, pop_data
            );
        end else begin : registers
            gw_fifo #(.WIDTH(BITS), .DEPTH(DEPTH), .ADDRESS(ADDRESS)) fifo (
                clk, rst, push_valid, push_ready, push_data, pop_valid, pop_ready, pop_data
            );
        end
    endgenerate
    // Two sides that never pause: the last token is the one of cycle COUNT, LATENCY later.
    bench_sink #(
        .BITS(BITS), .SEED(SEED), .CHANCE(POP), .COUNT(COUNT), .HOLD(POP == 256 ? 0 : HOLD),
        .LAST(PUSH == 256 && POP == 256 && (DEPTH > 1) ? COUNT + LATENCY : 0)
    ) sink (clk, rst, pop_valid, pop_ready, pop_data, done, bad);
    reg [31:0] cycle;
    reg wrong;
    always @(posedge clk)
        if (rst) begin
            cycle <= 0;
            wrong <= 0;
        end else begin
            cycle <= cycle + 1;
            if (POP != 256 && cycle == HOLD && taken != CAPACITY)
                wrong <= 1;
        end
    assign failed = bad || wrong;
endmodule

// A second reset in the middle of traffic leaves an empty FIFO.
module bench_fifo_reset #(
    parameter BLOCK = 0
) (
    input wire clk, input wire rst, output wire done, output wire failed
);
    reg [7:0] cycle;
    always @(posedge clk)
        cycle <= rst ? 0 : cycle == 255 ? 255 : cycle + 1;
    wire again = rst || cycle < 60 && cycle > 50;
    bench_fifo #(.BLOCK(BLOCK)) bench (clk, again, done, failed);
endmodule

module bench_width #(
    parameter BITS = 5,
    parameter IN = 1,
    parameter OUT = 4,
    parameter COUNT = 2,
    parameter PUSH = 128,
    parameter POP = 128,
    parameter LAST = 0,
    parameter SEED = 1
) (
    input wire clk, input wire rst, output wire done, output wire failed
);
    wire in_valid, in_ready, out_valid, out_ready;
    wire [IN*BITS-1:0] in_data;
    wire [OUT*BITS-1:0] out_data;
    wire [31:0] taken;
    bench_source #(.BITS(BITS), .LANES(IN), .SEED(SEED), .CHANCE(PUSH)) source (
        clk, rst, in_valid, in_ready, in_data, taken
    );
    gw_width #(.BITS(BITS), .IN(IN), .OUT(OUT), .COUNT(COUNT)) width (
        clk, rst, in_valid, in_ready, in_data, out_valid, out_ready, out_data
    );
    bench_sink #(.BITS(BITS), .LANES(OUT), .SEED(SEED), .CHANCE(POP), .COUNT(300), .LAST(LAST)) sink (
        clk, rst, out_valid, out_ready, out_data, done, failed
    );
endmodule

// Every reader sees every token once, at its own pace, through a FIFO.
module bench_fork #(
    parameter READERS = 3,
    parameter SEED = 1
) (
    input wire clk, input wire rst, output wire done, output wire failed
);
    wire in_valid, in_ready;
    wire [7:0] in_data, out_data;
    wire [31:0] taken;
    wire [READERS-1:0] out_valid, out_ready, finished, bad;
    bench_source #(.BITS(8), .SEED(SEED), .CHANCE(180)) source (clk, rst, in_valid, in_ready, in_data, taken);
    gw_fork #(.WIDTH(8), .READERS(READERS)) fork_ (in_valid, in_ready, in_data, out_valid, out_ready, out_data);
    genvar i;
    generate
        for (i = 0; i < READERS; i = i + 1) begin : reader
            wire pop_valid, pop_ready;
            wire [7:0] pop_data;
            gw_fifo #(.WIDTH(8), .DEPTH(3), .ADDRESS(2)) fifo (
                clk, rst, out_valid[i], out_ready[i], out_data, pop_valid, pop_ready, pop_data
            );
            bench_sink #(.BITS(8), .SEED(SEED), .CHANCE(80 + 60 * i), .COUNT(400)) sink (
                clk, rst, pop_valid, pop_ready, pop_data, finished[i], bad[i]
            );
        end
    endgenerate
    assign done = &finished;
    assign failed = |bad;
endmodule

// Tokens of PE elements through a pipeline that never stalls, out as PE / LANES tokens: credits keep the FIFO from
// overflowing and, with nobody waiting, from slowing the pipeline down. gw_serialize is on the way.
module bench_credit #(
    parameter PE = 1,
    parameter LANES = 1,
    parameter COUNT = 1,        // bits that hold PE / LANES
    parameter FLIGHT = 5,
    parameter CREDITS = 9,
    parameter ADDRESS = 4,
    parameter PUSH = 256,
    parameter POP = 256,
    parameter LAST = 0,
    parameter SEED = 1
) (
    input wire clk, input wire rst, output wire done, output wire failed
);
    localparam BURST = PE / LANES;
    wire in_valid, may_start, late, made_valid, push_ready, pop_valid, pop_ready, bad, known;
    wire [PE*8-1:0] in_data, late_data;
    wire [LANES*8-1:0] made, pop_data;
    wire [31:0] taken;
    reg [7:0] since;
    wire start = in_valid && may_start && since >= BURST - 1;
    bench_source #(.BITS(8), .LANES(PE), .SEED(SEED), .CHANCE(PUSH)) source (clk, rst, in_valid, start, in_data, taken);
    gw_credit #(.CREDITS(CREDITS), .TAKE(BURST), .COUNT(ADDRESS + 1)) credit (
        clk, rst, start, pop_valid && pop_ready, may_start
    );
    bench_late #(.WIDTH(PE * 8 + 1), .CYCLES(FLIGHT)) pipeline (clk, rst, {start, in_data}, {late, late_data}, known);
    gw_serialize #(.PE(PE), .LANES(LANES), .WIDTH(8), .COUNT(COUNT)) serialize (
        clk, rst, late && known, late_data, made_valid, made
    );
    gw_fifo #(.WIDTH(LANES * 8), .DEPTH(CREDITS), .ADDRESS(ADDRESS)) fifo (
        clk, rst, made_valid, push_ready, made, pop_valid, pop_ready, pop_data
    );
    localparam HOLD = 20 * (FLIGHT + CREDITS);
    bench_sink #(
        .BITS(8), .LANES(LANES), .SEED(SEED), .CHANCE(POP), .COUNT(400), .HOLD(POP == 256 ? 0 : HOLD), .LAST(LAST)
    ) sink (clk, rst, pop_valid, pop_ready, pop_data, done, bad);
    reg [31:0] cycle;
    reg wrong;
    always @(posedge clk)
        if (rst) begin
            since <= 255;
            wrong <= 0;
            cycle <= 0;
        end else begin
            cycle <= cycle + 1;
            since <= start ? 0 : since == 255 ? 255 : since + 1;
            if (made_valid && !push_ready)
                wrong <= 1;
            if (POP != 256 && cycle == HOLD && taken != CREDITS / BURST)
                wrong <= 1;
        end
    assign failed = bad || wrong;
endmodule

// Three streams in turn, bursts of 1, 3 and 2 tokens.
module bench_interleave #(
    parameter PUSH = 128,
    parameter POP = 128
) (
    input wire clk, input wire rst, output reg done, output reg failed
);
`include "mix.vh"
    wire [2:0] in_valid, in_ready;
    wire [23:0] in_data;
    wire out_valid;
    wire [7:0] out_data;
    wire [95:0] taken;
    wire [63:0] random;
    reg out_ready;
    bench_random #(.SEED(77)) dice (clk, rst, random);
    genvar i;
    generate
        for (i = 0; i < 3; i = i + 1) begin : stream
            bench_source #(.BITS(8), .SEED(i + 1), .CHANCE(PUSH)) source (
                clk, rst, in_valid[i], in_ready[i], in_data[8*i +: 8], taken[32*i +: 32]
            );
        end
    endgenerate
    gw_interleave #(
        .STREAMS(3), .WIDTH(8), .COUNT(2), .INDEX(2), .BURST({32'd2, 32'd3, 32'd1})
    ) interleave (clk, rst, in_valid, in_ready, in_data, out_valid, out_ready, out_data);
    reg [31:0] count;
    wire [31:0] turn = count / 6;
    wire [31:0] place = count % 6;
    wire [63:0] expected = place < 1 ? mix(1, turn) : place < 4 ? mix(2, 3 * turn + place - 1) : mix(3, 2 * turn + place - 4);
    always @(posedge clk)
        if (rst) begin
            count <= 0;
            done <= 0;
            failed <= 0;
            out_ready <= 0;
        end else begin
            out_ready <= random[39:32] < POP;
            if (out_valid && out_data !== expected[7:0])
                failed <= 1;
            if (out_valid && out_ready) begin
                count <= count + 1;
                done <= done || count == 600;
            end
        end
endmodule
