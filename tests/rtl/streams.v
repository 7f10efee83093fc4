// What drives and checks streams. Element e of the stream SEED is `mix(SEED, e)`, so nobody needs to remember anything.
//
// Every bench has the ports clk, rst, done and failed; failed stays, and so does done.

module bench_random #(
    parameter [63:0] SEED = 1
) (
    input  wire        clk,
    input  wire        rst,
    output reg  [63:0] bits
);
    wire [63:0] a = bits ^ (bits << 13);
    wire [63:0] b = a ^ (a >> 7);
    always @(posedge clk)
        bits <= rst ? (SEED + 1) * 64'h9E3779B97F4A7C15 : b ^ (b << 17);
endmodule

// Tokens of LANES elements, offered with CHANCE / 256 a cycle until one is taken.
module bench_source #(
    parameter BITS = 8,
    parameter LANES = 1,
    parameter SEED = 1,
    parameter CHANCE = 256
) (
    input  wire                  clk,
    input  wire                  rst,
    output reg                   valid,
    input  wire                  ready,
    output wire [LANES*BITS-1:0] data,
    output reg  [31:0]           taken
);
`include "mix.vh"
    wire [63:0] random;
    bench_random #(.SEED(SEED * 2)) dice (.clk(clk), .rst(rst), .bits(random));
    genvar k;
    generate
        for (k = 0; k < LANES; k = k + 1) begin : lane
            wire [63:0] element = mix(SEED, taken * LANES + k);
            assign data[k*BITS +: BITS] = element[BITS-1:0];
        end
    endgenerate
    always @(posedge clk)
        if (rst) begin
            valid <= 0;
            taken <= 0;
        end else begin
            taken <= taken + (valid && ready);
            if (!valid || ready)
                valid <= random[40:32] < CHANCE + 256 * (CHANCE == 256);
        end
endmodule

// Takes COUNT tokens, with CHANCE / 256 a cycle and none in the first HOLD cycles; fails on a wrong element, on data
// that change while they wait, and where LAST is not 0 and the last token does not leave in cycle LAST.
module bench_sink #(
    parameter BITS = 8,
    parameter LANES = 1,
    parameter SEED = 1,
    parameter CHANCE = 256,
    parameter COUNT = 1000,
    parameter HOLD = 0,
    parameter LAST = 0
) (
    input  wire                  clk,
    input  wire                  rst,
    input  wire                  valid,
    output reg                   ready,
    input  wire [LANES*BITS-1:0] data,
    output reg                   done,
    output reg                   failed
);
`include "mix.vh"
    reg [31:0] cycle, taken;
    reg waiting;
    wire [63:0] random;
    bench_random #(.SEED(SEED * 2 + 1)) dice (.clk(clk), .rst(rst), .bits(random));
    wire [LANES*BITS-1:0] expected;
    genvar k;
    generate
        for (k = 0; k < LANES; k = k + 1) begin : lane
            wire [63:0] element = mix(SEED, taken * LANES + k);
            assign expected[k*BITS +: BITS] = element[BITS-1:0];
        end
    endgenerate
    always @(posedge clk)
        if (rst) begin
            cycle <= 0;
            taken <= 0;
            ready <= 0;
            waiting <= 0;
            done <= 0;
            failed <= 0;
        end else begin
            cycle <= cycle + 1;
            ready <= cycle >= HOLD && random[40:32] < CHANCE + 256 * (CHANCE == 256);
            waiting <= valid && !ready;
            if (waiting && !valid || valid && data !== expected)
                failed <= 1;
            if (valid && ready) begin
                taken <= taken + 1;
                if (taken == COUNT - 1) begin
                    done <= 1;
                    if (LAST != 0 && cycle != LAST)
                        failed <= 1;
                end
            end
        end
endmodule

// `in`, CYCLES cycles late; `valid` once that is something. Checks nothing itself.
module bench_late #(
    parameter WIDTH = 8,
    parameter CYCLES = 1
) (
    input  wire             clk,
    input  wire             rst,
    input  wire [WIDTH-1:0] in,
    output wire [WIDTH-1:0] out,
    output wire             valid
);
    reg [WIDTH-1:0] line [0:CYCLES-1];
    reg [CYCLES-1:0] known;
    integer i;
    always @(posedge clk) begin
        line[0] <= in;
        for (i = 1; i < CYCLES; i = i + 1)
            line[i] <= line[i-1];
        known <= rst ? 0 : (known << 1) | 1'b1;
    end
    assign out = line[CYCLES-1];
    assign valid = known[CYCLES-1];
endmodule
