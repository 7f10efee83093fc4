// The pins of the flash: io0 goes both ways, and the clock of an ECP5's flash leaves by a pin of its own. FAMILY says
// which cells there are.
module gw_flash_pins #(
    parameter FAMILY = "ice40"
) (
    input  wire cs_n,
    input  wire sck,
    input  wire io0_out,
    input  wire io0_enable,
    output wire io0_in,
    output wire io1_in,
    output wire pad_cs_n,
    output wire pad_sck,     // nothing on an ECP5
    inout  wire pad_io0,
    input  wire pad_io1
);
    assign pad_cs_n = cs_n;
    assign io1_in = pad_io1;
    generate
        if (FAMILY == "ice40") begin : ice40
            assign pad_sck = sck;
            SB_IO #(.PIN_TYPE(6'b1010_01)) io0 (
                .PACKAGE_PIN(pad_io0), .OUTPUT_ENABLE(io0_enable), .D_OUT_0(io0_out), .D_IN_0(io0_in)
            );
        end else begin : ecp5
            assign pad_sck = 1'b0;
            USRMCLK clock (.USRMCLKI(sck), .USRMCLKTS(1'b0));
            BB io0 (.I(io0_out), .T(!io0_enable), .O(io0_in), .B(pad_io0));
        end
    endgenerate
endmodule
