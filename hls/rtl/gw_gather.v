// Tokens of a frame in another order: two frames of memory, one filled while the other is read in the order of `entry`,
// {fill, address}; with `fill` the token is FILL.
//
// A read starts in every cycle in which the frame is complete and `token_ready` grants room (`token_start`); its entry
// comes two cycles later, and it leaves two more later.
module gw_gather #(
    parameter WIDTH = 8,
    parameter TOKENS_IN = 16,
    parameter TOKENS_OUT = 16,
    parameter ADDRESS = 4,        // 2**ADDRESS >= TOKENS_IN
    parameter POSITION = 4,       // 2**POSITION >= TOKENS_OUT
    parameter [WIDTH-1:0] FILL = 0,
    parameter BLOCK = 1
) (
    input  wire             clk,
    input  wire             rst,
    input  wire             in_valid,
    output wire             in_ready,
    input  wire [WIDTH-1:0] in_data,
    input  wire             token_ready,
    output wire             token_start,
    input  wire [ADDRESS:0] entry,
    output wire             out_valid,
    output reg  [WIDTH-1:0] out_data
);
    // A bank is filled by the writer, then emptied by the reader; both take the banks in turn.
    reg write_bank = 0, read_bank = 0;
    reg [1:0] full = 0;
    reg [ADDRESS-1:0] write_position = 0;
    reg [POSITION-1:0] read_position = 0;

    wire write = in_valid && in_ready;
    wire write_end = write && write_position == TOKENS_IN - 1;
    wire read = full[read_bank] && token_ready;
    wire read_end = read && read_position == TOKENS_OUT - 1;

    wire fill = entry[ADDRESS];
    wire [ADDRESS-1:0] source = entry[ADDRESS-1:0];
    wire bank_late, fill_late, fetch, fetched_end;

    assign in_ready = !full[write_bank];
    assign token_start = read;

    always @(posedge clk)
        if (rst) begin
            write_bank <= 0;
            read_bank <= 0;
            full <= 0;
            write_position <= 0;
            read_position <= 0;
        end else begin
            if (write)
                write_position <= write_end ? {ADDRESS{1'b0}} : write_position + 1'b1;
            if (read)
                read_position <= read_end ? {POSITION{1'b0}} : read_position + 1'b1;
            if (write_end) begin
                write_bank <= !write_bank;
                full[write_bank] <= 1;
            end
            if (read_end)
                read_bank <= !read_bank;
            // The writer gets the bank back when the last of its reads has been fetched.
            if (fetched_end)
                full[bank_late] <= 0;
        end

    // Cycle 0: the position; 2: its address; 3: the word; 4: the token.
    wire [WIDTH-1:0] stored;
    gw_delay #(.WIDTH(1), .CYCLES(2)) bank (.clk(clk), .rst(1'b0), .in(read_bank), .out(bank_late));
    gw_delay #(.WIDTH(2), .CYCLES(2)) reading (.clk(clk), .rst(rst), .in({read, read_end}), .out({fetch, fetched_end}));
    gw_delay #(.WIDTH(1), .CYCLES(1)) filling (.clk(clk), .rst(1'b0), .in(fill), .out(fill_late));
    gw_delay #(.WIDTH(1), .CYCLES(2)) valid (.clk(clk), .rst(rst), .in(fetch), .out(out_valid));
    gw_memory #(.WIDTH(WIDTH), .DEPTH(2 << ADDRESS), .ADDRESS(ADDRESS + 1), .BLOCK(BLOCK)) frames (
        .clk(clk),
        .write_enable(write), .write_address({write_bank, write_position}), .write_data(in_data),
        .read_enable(fetch), .read_address({bank_late, source}), .read_data(stored)
    );
    always @(posedge clk)
        out_data <= fill_late ? FILL : stored;
endmodule
