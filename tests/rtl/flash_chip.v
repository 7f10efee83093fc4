// A flash chip in the place of the pins to it: wakes on ABh, reads on 3Bh, two bits at a time. What breaks its rules makes
// it answer nonsense. The file holds its bytes from OFFSET on.
module gw_flash_pins #(
    parameter FAMILY = "ecp5",
    parameter OFFSET = 24'h200000,
    parameter SIZE = 4096
) (
    input  wire cs_n,
    input  wire sck,
    input  wire io0_out,
    input  wire io0_enable,
    output wire io0_in,
    output wire io1_in,
    output wire pad_cs_n,
    output wire pad_sck,
    input  wire pad_io0,
    input  wire pad_io1
);
    reg [7:0] memory [0:SIZE-1];
    initial $readmemh("flash.hex", memory);

    reg awake = 0;
    reg broken = 0;
    reg [39:0] command = 0;
    reg [31:0] risen = 0;      // edges of sck since cs_n fell
    reg [31:0] pair = 0;       // two bits that are offered
    always @(posedge sck) begin
        if (risen < 40) begin
            command <= {command[38:0], io0_out};
            if (risen < 32 && !io0_enable)
                broken <= 1;
        end else if (io0_enable)
            broken <= 1;
        risen <= cs_n ? 0 : risen + 1;
    end
    always @(posedge cs_n) begin
        if (risen == 8 && command[7:0] == 8'hab)
            awake <= 1;
        risen <= 0;
    end
    always @(negedge sck)
        pair <= risen - 40;
    wire [23:0] address = command[31:8] - OFFSET + pair[31:2];
    wire [7:0] bits = memory[address] << 2 * pair[1:0];
    wire right = awake && !broken && command[39:32] == 8'h3b && address < SIZE;
    assign {io1_in, io0_in} = right ? bits[7:6] : 2'b10;
    assign pad_cs_n = cs_n;
    assign pad_sck = sck;
endmodule
