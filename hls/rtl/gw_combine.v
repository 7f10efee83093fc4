// Weighted sum of the operands of a token, lane by lane, with constant weights as sums of powers of two:
//
//     acc = sum over terms t of +-(operand[OPERAND[t]] << SHIFT[t])
//
// 1 + LEVELS cycles late. All operands have X bits, signed.
module gw_combine #(
    parameter OPERANDS = 2,
    parameter LANES = 1,
    parameter X = 9,
    parameter TERMS = 2,
    parameter LEVELS = 1,              // ceil(log2 TERMS)
    parameter TERM = 24,               // bits of a shifted operand
    parameter ACC = 25,
    parameter [TERMS*8-1:0] OPERAND = 0,   // a byte a term, term 0 in the least significant one
    parameter [TERMS*8-1:0] SHIFT = 0,
    parameter [TERMS-1:0] NEGATIVE = 0
) (
    input  wire                        clk,
    input  wire [OPERANDS*LANES*X-1:0] in,     // operand 0 in the least significant bits
    output wire [LANES*ACC-1:0]        out
);
    genvar k;
    genvar t;
    generate
        for (k = 0; k < LANES; k = k + 1) begin : lane
            wire [TERMS*TERM-1:0] terms;
            wire signed [TERM+LEVELS-1:0] sum;
            for (t = 0; t < TERMS; t = t + 1) begin : term
                localparam integer SOURCE = OPERAND[8*t +: 8];
                localparam integer AMOUNT = SHIFT[8*t +: 8];
                wire signed [X-1:0] x = in[(SOURCE*LANES+k)*X +: X];
                wire signed [TERM-1:0] wide = x;
                reg signed [TERM-1:0] weighted;
                always @(posedge clk)
                    weighted <= NEGATIVE[t] ? -(wide <<< AMOUNT) : wide <<< AMOUNT;
                assign terms[t*TERM +: TERM] = weighted;
            end
            gw_adder_tree #(.N(TERMS), .WIDTH(TERM), .LEVELS(LEVELS)) tree (.clk(clk), .in(terms), .sum(sum));
            wire signed [ACC-1:0] total = sum;
            assign out[k*ACC +: ACC] = total;
        end
    endgenerate
endmodule
