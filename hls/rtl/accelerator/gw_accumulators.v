// Accumulators: COLUMNS memories of 32-bit sums, in banks as gw_scratchpad, with an adder each.
//
// Matrix side: `add` with its address and `first` (overwrite) in cycle t for column 0, and t + j for column j; the sum of
// column j in t + 3 + j. A row may be added to again four cycles later, and read by the vector side from t + 4 + j on.
// Vector side: an address in cycle t, the row (column 0 in the least significant bits) in t + 2.
module gw_accumulators #(
    parameter COLUMNS = 8,
    parameter BANKS = 2,
    parameter BANK_ADDRESS = 9,
    parameter ADDRESS = 10
) (
    input  wire                  clk,
    input  wire                  rst,
    input  wire                  add,
    input  wire                  first,
    input  wire [ADDRESS-1:0]    address,
    input  wire [COLUMNS*32-1:0] sums,
    input  wire                  read,
    input  wire [ADDRESS-1:0]    read_address,
    output wire [COLUMNS*32-1:0] read_data
);
    wire [(COLUMNS+1)*(ADDRESS+2)-1:0] chain;
    assign chain[ADDRESS+1:0] = {add, first, address};

    genvar j;
    generate
        for (j = 0; j < COLUMNS; j = j + 1) begin : column
            wire adds = chain[(j+1)*(ADDRESS+2)-1];
            wire [ADDRESS-1:0] row = chain[j*(ADDRESS+2) +: ADDRESS];
            wire writes, overwrites;
            wire [ADDRESS-1:0] written_row;
            wire [31:0] there;
            reg [31:0] old;
            gw_delay #(.WIDTH(ADDRESS + 2), .CYCLES(1)) next (
                .clk(clk), .rst(rst), .in(chain[j*(ADDRESS+2) +: ADDRESS+2]),
                .out(chain[(j+1)*(ADDRESS+2) +: ADDRESS+2])
            );
            gw_delay #(.WIDTH(ADDRESS + 2), .CYCLES(3)) arrive (
                .clk(clk), .rst(rst), .in(chain[j*(ADDRESS+2) +: ADDRESS+2]),
                .out({writes, overwrites, written_row})
            );
            always @(posedge clk)
                old <= there;
            gw_scratchpad #(
                .WIDTH(32), .BANKS(BANKS), .BANK_ADDRESS(BANK_ADDRESS), .ADDRESS(ADDRESS), .READERS(2), .WRITERS(1)
            ) memory (
                .clk(clk),
                .read_enable({read, adds}), .read_address({read_address, row}),
                .read_data({read_data[j*32 +: 32], there}),
                .write_enable(writes), .write_address(written_row),
                .write_data(sums[j*32 +: 32] + (overwrites ? 32'd0 : old))
            );
        end
    endgenerate
endmodule
