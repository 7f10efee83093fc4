// Maximum or sum of the words of every turn, CHANNELS channels at once. The result of a turn leaves as CHANNELS / LANES
// tokens, the first two cycles (CHANNELS = LANES: one cycle) after the turn's last word.
module gw_pool #(
    parameter MAXIMUM = 1,
    parameter CHANNELS = 1,
    parameter LANES = 1,
    parameter X = 8,
    parameter X_SIGNED = 1,
    parameter ACC = 16,
    parameter COUNT = 1
) (
    input  wire                   clk,
    input  wire                   rst,
    input  wire                   word_valid,
    input  wire                   word_first,
    input  wire                   word_last,
    input  wire [CHANNELS*X-1:0]  word,
    output wire                   out_valid,
    output wire [LANES*ACC-1:0]   out
);
    wire [CHANNELS*ACC-1:0] results;
    reg done = 0;
    always @(posedge clk)
        done <= word_valid && word_last && !rst;

    genvar c;
    generate
        for (c = 0; c < CHANNELS; c = c + 1) begin : channel
            wire signed [X:0] x = {X_SIGNED ? word[c*X+X-1] : 1'b0, word[c*X +: X]};
            reg signed [ACC-1:0] result;
            if (MAXIMUM) begin : maximum
                always @(posedge clk)
                    if (word_valid && (word_first || x > result))
                        result <= x;
            end else begin : total
                always @(posedge clk)
                    if (word_valid)
                        result <= word_first ? x : result + x;
            end
            assign results[c*ACC +: ACC] = result;
        end
    endgenerate

    gw_serialize #(.PE(CHANNELS), .LANES(LANES), .WIDTH(ACC), .COUNT(COUNT)) serialize (
        .clk(clk), .rst(rst), .in_valid(done), .in(results), .out_valid(out_valid), .out(out)
    );
endmodule
