// Memory of one port in SB_SPRAM256KA (iCE40 UltraPlus, FPGA-DS-02008): blocks of 16384 words of 16 bits. What is read
// appears one cycle later and stays until the next read.
module gw_spram #(
    parameter WIDTH = 16,
    parameter DEPTH = 16384,
    parameter ADDRESS = 14
) (
    input  wire               clk,
    input  wire               enable,
    input  wire               write,
    input  wire [ADDRESS-1:0] address,
    input  wire [WIDTH-1:0]   write_data,
    output wire [WIDTH-1:0]   read_data
);
`ifndef SYNTHESIS
    // What the blocks do, for simulators.
    reg [WIDTH-1:0] memory [0:DEPTH-1];
    reg [WIDTH-1:0] data;
    always @(posedge clk)
        if (enable && write)
            memory[address] <= write_data;
        else if (enable)
            data <= memory[address];
    assign read_data = data;
`else
    localparam COLUMNS = (WIDTH + 15) / 16;
    localparam BANKS = (DEPTH + 16383) / 16384;
    wire [16*COLUMNS-1:0] wide = {{(16*COLUMNS){1'b0}}, write_data};
    wire [31:0] whole = {32'b0, address};
    wire [31:0] bank = whole >> 14;
    wire [16*COLUMNS*BANKS-1:0] found;
    reg [31:0] bank_late = 0;
    always @(posedge clk)
        if (enable)
            bank_late <= bank;

    genvar b;
    genvar c;
    generate
        for (b = 0; b < BANKS; b = b + 1) begin : in_bank
            for (c = 0; c < COLUMNS; c = c + 1) begin : column
                SB_SPRAM256KA block (
                    .ADDRESS(whole[13:0]), .DATAIN(wide[16*c +: 16]), .MASKWREN(4'b1111), .WREN(write),
                    .CHIPSELECT(enable && bank == b), .CLOCK(clk), .STANDBY(1'b0), .SLEEP(1'b0), .POWEROFF(1'b1),
                    .DATAOUT(found[16*(b*COLUMNS+c) +: 16])
                );
            end
        end
    endgenerate
    wire [16*COLUMNS-1:0] chosen = found[16*COLUMNS*bank_late +: 16*COLUMNS];
    assign read_data = chosen[WIDTH-1:0];
`endif
endmodule
