// Constants in memory: what is read appears two cycles later, three with LATE.
//
// A row of the memory holds COLUMNS words; the upper address bits say which of them is meant. Block memory is given rows
// no deeper than one block, so the register behind it is the one inside the block, four nanoseconds faster than the
// block without it (the build puts it there); the column is chosen behind the register. LATE: one more register behind,
// halfway to a reader that may be far from the block.
module gw_rom #(
    parameter WIDTH = 8,
    parameter ROWS = 16,
    parameter COLUMNS = 1,
    parameter ROW = 4,        // bits of a row's address: 2**ROW = ROWS where there are columns
    parameter ADDRESS = 4,    // bits of a word's address
    parameter BLOCK = 1,      // 1: block memory, 0: LUTs
    parameter LATE = 0,
    parameter FILE = ""       // hexadecimal rows, one a line, column 0 in the least significant bits, for $readmemh
) (
    input  wire               clk,
    input  wire [ADDRESS-1:0] address,
    output wire [WIDTH-1:0]   data
);
    reg [WIDTH*COLUMNS-1:0] row, row_late;
    wire [ROW-1:0] row_address = address[ROW-1:0];

    generate
        if (BLOCK) begin : block
            (* ram_style = "block", rom_style = "block" *)
            reg [WIDTH*COLUMNS-1:0] memory [0:ROWS-1];
            initial $readmemh(FILE, memory);
            always @(posedge clk)
                row <= memory[row_address];
        end else begin : lut
            (* rom_style = "logic", ram_style = "logic" *)
            reg [WIDTH*COLUMNS-1:0] memory [0:ROWS-1];
            initial $readmemh(FILE, memory);
            always @(posedge clk)
                row <= memory[row_address];
        end
    endgenerate

    always @(posedge clk)
        row_late <= row;

    wire [WIDTH-1:0] word;
    generate
        if (COLUMNS > 1) begin : columns
            reg [ADDRESS-ROW-1:0] column, column_late;
            always @(posedge clk) begin
                column <= address[ADDRESS-1:ROW];
                column_late <= column;
            end
            assign word = row_late[column_late*WIDTH +: WIDTH];
        end else begin : single
            assign word = row_late;
        end
        if (LATE) begin : late
            reg [WIDTH-1:0] arrived;
            always @(posedge clk)
                arrived <= word;
            assign data = arrived;
        end else begin : direct
            assign data = word;
        end
    endgenerate
endmodule
