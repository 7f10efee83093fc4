// ROWS x COLUMNS processing elements with the skew of their inputs.
//
// A pixel (ROWS inputs) in cycle t leaves column j as a sum in cycle t + ROWS + 2 + j. Weights of row i of a fold in cycle
// t (`weight_row`) are in the shadow registers of column j from t + 1 + j on. `swap` comes with the first pixel of a
// fold: weights must come at least two cycles before it, and of the next fold at the earliest in the cycle behind it.
module gw_systolic_array #(
    parameter ROWS = 8,
    parameter COLUMNS = 8,
    parameter LOGIC = 0                          // multipliers in logic, see gw_pe
) (
    input  wire                  clk,
    input  wire                  swap,
    input  wire [ROWS*9-1:0]     pixel,          // row 0 in the least significant bits
    input  wire [ROWS-1:0]       weight_row,     // one hot
    input  wire [COLUMNS*9-1:0]  weights,        // of that row
    output wire [COLUMNS*32-1:0] sums            // column j a cycle behind column j - 1
);
    // Wires between the cells: x and flags by (row, column to the left), sums by (row above, column).
    wire [ROWS*(COLUMNS+1)*9-1:0] x;
    wire [ROWS*(COLUMNS+1)-1:0] swaps, enables;
    wire [(ROWS+1)*COLUMNS*32-1:0] partial;
    wire [COLUMNS*9-1:0] skewed;

    genvar i;
    genvar j;
    generate
        for (i = 0; i < ROWS; i = i + 1) begin : row
            gw_delay #(.WIDTH(10), .CYCLES(i)) skew (
                .clk(clk), .rst(1'b0), .in({swap, pixel[i*9 +: 9]}),
                .out({swaps[i*(COLUMNS+1)], x[i*(COLUMNS+1)*9 +: 9]})
            );
            assign enables[i*(COLUMNS+1)] = weight_row[i];
            for (j = 0; j < COLUMNS; j = j + 1) begin : column
                gw_pe #(.LOGIC(LOGIC)) pe (
                    .clk(clk),
                    .x_in(x[(i*(COLUMNS+1)+j)*9 +: 9]), .x_out(x[(i*(COLUMNS+1)+j+1)*9 +: 9]),
                    .swap_in(swaps[i*(COLUMNS+1)+j]), .swap_out(swaps[i*(COLUMNS+1)+j+1]),
                    .weight(skewed[j*9 +: 9]),
                    .weight_enable_in(enables[i*(COLUMNS+1)+j]), .weight_enable_out(enables[i*(COLUMNS+1)+j+1]),
                    .sum_in(partial[(i*COLUMNS+j)*32 +: 32]), .sum_out(partial[((i+1)*COLUMNS+j)*32 +: 32])
                );
            end
        end
        for (j = 0; j < COLUMNS; j = j + 1) begin : top
            gw_delay #(.WIDTH(9), .CYCLES(j)) skew (
                .clk(clk), .rst(1'b0), .in(weights[j*9 +: 9]), .out(skewed[j*9 +: 9])
            );
        end
    endgenerate

    assign partial[COLUMNS*32-1:0] = 0;
    assign sums = partial[ROWS*COLUMNS*32 +: COLUMNS*32];
endmodule
