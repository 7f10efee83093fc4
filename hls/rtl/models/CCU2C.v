// Behaviour of a CCU2C, two bits of a carry chain (Lattice FPGA-TN-02204): sum = LUT ^ carry; the carry goes on where the
// LUT is 1, else it is the LUT's value at C = D = 0.
module CCU2C #(
    parameter [15:0] INIT0 = 0, INIT1 = 0,
    parameter INJECT1_0 = "YES", INJECT1_1 = "YES"
) (
    input CIN, A0, B0, C0, D0, A1, B1, C1, D1,
    output S0, S1, COUT
);
    wire p0 = INIT0[{D0, C0, B0, A0}];
    wire p1 = INIT1[{D1, C1, B1, A1}];
    wire carry = p0 ? CIN : INIT0[{2'b00, B0, A0}];
    assign S0 = p0 ^ CIN;
    assign S1 = p1 ^ carry;
    assign COUT = p1 ? carry : INIT1[{2'b00, B1, A1}];
endmodule
