// One SB_MAC16 of an iCE40 UltraPlus as two 8 x 8 multipliers with its input and output registers: each half of p is the
// product of the same halves of a and b, two cycles late (Lattice FPGA-TN-02007). Every b is signed.
module gw_sb_mac16_dual #(
    parameter A_SIGNED = 1
) (
    input  wire        clk,
    input  wire [15:0] a,
    input  wire [15:0] b,
    output wire [31:0] p
);
`ifndef SYNTHESIS
    // What the slice computes, for simulators.
    reg [15:0] late_a;
    reg signed [15:0] late_b;
    reg signed [15:0] top, bottom;
    wire signed [8:0] top_a = {A_SIGNED ? late_a[15] : 1'b0, late_a[15:8]};
    wire signed [8:0] bottom_a = {A_SIGNED ? late_a[7] : 1'b0, late_a[7:0]};
    always @(posedge clk) begin
        late_a <= a;
        late_b <= b;
        top <= top_a * $signed(late_b[15:8]);
        bottom <= bottom_a * $signed(late_b[7:0]);
    end
    assign p = {top, bottom};
`else
    SB_MAC16 #(
        .NEG_TRIGGER(1'b0),
        .C_REG(1'b0), .A_REG(1'b1), .B_REG(1'b1), .D_REG(1'b0),
        .TOP_8x8_MULT_REG(1'b1), .BOT_8x8_MULT_REG(1'b1),
        .PIPELINE_16x16_MULT_REG1(1'b0), .PIPELINE_16x16_MULT_REG2(1'b0),
        .TOPOUTPUT_SELECT(2'b10), .BOTOUTPUT_SELECT(2'b10),
        .MODE_8x8(1'b1), .A_SIGNED(A_SIGNED ? 1'b1 : 1'b0), .B_SIGNED(1'b1)
    ) slice (
        .CLK(clk), .CE(1'b1), .A(a), .B(b), .C(16'b0), .D(16'b0),
        .AHOLD(1'b0), .BHOLD(1'b0), .CHOLD(1'b0), .DHOLD(1'b0),
        .IRSTTOP(1'b0), .IRSTBOT(1'b0), .ORSTTOP(1'b0), .ORSTBOT(1'b0),
        .OLOADTOP(1'b0), .OLOADBOT(1'b0), .ADDSUBTOP(1'b0), .ADDSUBBOT(1'b0),
        .OHOLDTOP(1'b0), .OHOLDBOT(1'b0), .CI(1'b0), .ACCUMCI(1'b0), .SIGNEXTIN(1'b0),
        .O(p), .CO(), .ACCUMCO(), .SIGNEXTOUT()
    );
`endif
endmodule
