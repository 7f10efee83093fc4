// Signed product in logic, two cycles late: a row a * digit for every two bits of b, then the sum of the rows.
// Digits are 0..3, the top one -2..1 (its upper bit is the sign). A constant b leaves shifted sums only.
module gw_lut_multiplier #(
    parameter A = 8,
    parameter A_SIGNED = 1,
    parameter B = 8
) (
    input  wire                  clk,
    input  wire [A-1:0]          a,
    input  wire [B-1:0]          b,
    output wire signed [A+B-1:0] product
);
    localparam DIGITS = (B + 1) / 2;
    wire signed [A+2:0] single = {{3{A_SIGNED ? a[A-1] : 1'b0}}, a};
    wire signed [A+2:0] twice = single <<< 1;
    wire [2*DIGITS-1:0] wide_b = {b[B-1], b};

    reg signed [A+2:0] rows [0:DIGITS-1];
    reg signed [A+B+1:0] sum;
    reg signed [A+B+1:0] result;
    integer i;
    integer j;

    always @(posedge clk)
        for (i = 0; i < DIGITS; i = i + 1)
            if (i == DIGITS - 1)
                rows[i] <= (wide_b[2*i] ? single : 0) - (wide_b[2*i+1] ? twice : 0);
            else
                rows[i] <= (wide_b[2*i] ? single : 0) + (wide_b[2*i+1] ? twice : 0);

    always @* begin
        sum = 0;
        for (j = 0; j < DIGITS; j = j + 1)
            sum = sum + (rows[j] <<< (2 * j));
    end

    always @(posedge clk)
        result <= sum;

    assign product = result[A+B-1:0];
endmodule
