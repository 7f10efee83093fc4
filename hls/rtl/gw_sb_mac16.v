// One SB_MAC16 of an iCE40 UltraPlus as a signed 16 x 16 multiplier with its input and output registers: p = a * b, two
// cycles late (Lattice FPGA-TN-02007).
module gw_sb_mac16 (
    input  wire        clk,
    input  wire [15:0] a,
    input  wire [15:0] b,
    output wire [31:0] p
);
`ifndef SYNTHESIS
    // What the slice computes, for simulators.
    reg signed [15:0] late_a, late_b;
    reg signed [31:0] result;
    always @(posedge clk) begin
        late_a <= a;
        late_b <= b;
        result <= late_a * late_b;
    end
    assign p = result;
`else
    SB_MAC16 #(
        .NEG_TRIGGER(1'b0),
        .C_REG(1'b0), .A_REG(1'b1), .B_REG(1'b1), .D_REG(1'b0),
        .TOP_8x8_MULT_REG(1'b0), .BOT_8x8_MULT_REG(1'b0),
        .PIPELINE_16x16_MULT_REG1(1'b0), .PIPELINE_16x16_MULT_REG2(1'b1),
        .TOPOUTPUT_SELECT(2'b11), .BOTOUTPUT_SELECT(2'b11),
        .MODE_8x8(1'b0), .A_SIGNED(1'b1), .B_SIGNED(1'b1)
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
