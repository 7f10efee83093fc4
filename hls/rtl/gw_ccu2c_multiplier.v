// Signed product in the carry cells of an ECP5, one or three cycles late: half the logic of what synthesis makes of `*`.
//
// The LUT in front of a carry bit has four inputs, so one chain adds both partial products of a pair of bits of b:
//     row = (a & b0) + (2a & b1)          propagate = (a[i] & b0) ^ (a[i-1] & b1), INIT 7888
// In the top pair b1 is the sign: row = (a & b0) + ~(2a & b1) + 1, INIT 8777. The cell's carry is LUT ? carry in : the
// LUT's value at C = D = 0, which is the first product (the second, inverted, in the top pair). Then rows are added.
module gw_ccu2c_multiplier #(
    parameter A = 8,
    parameter A_SIGNED = 1,
    parameter B = 8,
    parameter CYCLES = 3
) (
    input  wire                  clk,
    input  wire [A-1:0]          a,
    input  wire [B-1:0]          b,
    output wire signed [A+B-1:0] product
);
`ifndef SYNTHESIS
    // What the cells compute, for simulators: a model of every carry cell would be ten times slower.
    reg signed [A+B-1:0] first, second, third;
    wire signed [A:0] wide_a = {A_SIGNED ? a[A-1] : 1'b0, a};
    wire signed [B-1:0] signed_b = b;
    always @(posedge clk) begin
        first <= wide_a * signed_b;
        second <= first;
        third <= second;
    end
    assign product = CYCLES == 1 ? first : third;
`else
    localparam ROWS = (B + 1) / 2;
    localparam BITS = A + 3;                 // of a row: -4a .. 3a
    localparam CELLS = (BITS + 2) / 2;       // the first bit of a chain sets the carry

    wire sign = A_SIGNED ? a[A-1] : 1'b0;
    wire [2*CELLS:0] single = {{(2*CELLS+1){sign}}, a};
    wire [2*CELLS:0] twice = {single, 1'b0};
    wire [2*ROWS-1:0] wide_b = {b[B-1], b};
    wire [ROWS*BITS-1:0] rows;

    genvar r;
    genvar i;
    generate
        for (r = 0; r < ROWS; r = r + 1) begin : row
            localparam TOP = r == ROWS - 1;
            localparam [15:0] INIT = TOP ? 16'h8777 : 16'h7888;
            localparam [15:0] START = TOP ? 16'h000F : 16'h0000;   // carry 1 where C = 1
            wire b0 = wide_b[2*r];
            wire b1 = wide_b[2*r+1];
            // First operands of the LUTs and second ones, by bit of the row.
            wire [2*CELLS:0] first = TOP ? twice : single;
            wire [2*CELLS:0] second = TOP ? single : twice;
            wire first_b = TOP ? b1 : b0;
            wire second_b = TOP ? b0 : b1;
            wire [CELLS:0] carry;
            wire [2*CELLS-1:0] sum;
            reg signed [BITS-1:0] late;
            assign carry[0] = 1'b0;
            for (i = 0; i < CELLS; i = i + 1) begin : cell_
                if (i == 0) begin : start
                    CCU2C #(.INIT0(START), .INIT1(INIT), .INJECT1_0("NO"), .INJECT1_1("NO")) adder (
                        .CIN(1'b0),
                        .A0(1'b0), .B0(1'b0), .C0(1'b1), .D0(1'b0),
                        .A1(first[0]), .B1(first_b), .C1(second[0]), .D1(second_b),
                        .S0(sum[0]), .S1(sum[1]), .COUT(carry[1])
                    );
                end else begin : inner
                    CCU2C #(.INIT0(INIT), .INIT1(INIT), .INJECT1_0("NO"), .INJECT1_1("NO")) adder (
                        .CIN(carry[i]),
                        .A0(first[2*i-1]), .B0(first_b), .C0(second[2*i-1]), .D0(second_b),
                        .A1(first[2*i]), .B1(first_b), .C1(second[2*i]), .D1(second_b),
                        .S0(sum[2*i]), .S1(sum[2*i+1]), .COUT(carry[i+1])
                    );
                end
            end
            always @(posedge clk)
                late <= sum[BITS:1];
            assign rows[r*BITS +: BITS] = CYCLES == 1 ? sum[BITS:1] : late;
        end
    endgenerate

    // Neighbouring rows, then their sums.
    localparam PAIRS = (ROWS + 1) / 2;
    reg signed [A+B-1:0] pairs [0:PAIRS-1];
    reg signed [A+B-1:0] late_pairs [0:PAIRS-1];
    reg signed [A+B-1:0] total;
    reg signed [A+B-1:0] result;
    wire signed [BITS-1:0] row_of [0:2*PAIRS-1];
    generate
        for (r = 0; r < 2 * PAIRS; r = r + 1) begin : of
            assign row_of[r] = r < ROWS ? rows[(r % ROWS)*BITS +: BITS] : {BITS{1'b0}};
        end
    endgenerate
    integer j;
    always @* begin
        total = 0;
        for (j = 0; j < PAIRS; j = j + 1) begin
            pairs[j] = row_of[2*j] + (row_of[2*j+1] <<< 2);
            total = total + ((CYCLES == 1 ? pairs[j] : late_pairs[j]) <<< (4 * j));
        end
    end
    always @(posedge clk) begin
        for (j = 0; j < PAIRS; j = j + 1)
            late_pairs[j] <= pairs[j];
        result <= total;
    end
    assign product = result;
`endif
endmodule
