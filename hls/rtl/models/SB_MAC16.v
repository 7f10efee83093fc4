// Behaviour of an SB_MAC16 as gw_sb_mac16.v configures it: signed 16 x 16, registers at the inputs and the output.
module SB_MAC16 #(
    parameter NEG_TRIGGER = 0, C_REG = 0, A_REG = 0, B_REG = 0, D_REG = 0,
    parameter TOP_8x8_MULT_REG = 0, BOT_8x8_MULT_REG = 0,
    parameter PIPELINE_16x16_MULT_REG1 = 0, PIPELINE_16x16_MULT_REG2 = 0,
    parameter TOPOUTPUT_SELECT = 0, BOTOUTPUT_SELECT = 0, MODE_8x8 = 0, A_SIGNED = 0, B_SIGNED = 0
) (
    input CLK, CE,
    input signed [15:0] A, B,
    input [15:0] C, D,
    input AHOLD, BHOLD, CHOLD, DHOLD, IRSTTOP, IRSTBOT, ORSTTOP, ORSTBOT, OLOADTOP, OLOADBOT,
    input ADDSUBTOP, ADDSUBBOT, OHOLDTOP, OHOLDBOT, CI, ACCUMCI, SIGNEXTIN,
    output [31:0] O,
    output CO, ACCUMCO, SIGNEXTOUT
);
    reg signed [15:0] a, b;
    reg signed [31:0] p;
    assign O = p;
    assign {CO, ACCUMCO, SIGNEXTOUT} = 3'b0;
    always @(posedge CLK) begin
        a <= A;
        b <= B;
        p <= a * b;
    end
endmodule
