// Store unit: rows of the activation scratchpad into memory.
//
// With `start` in cycle s the first word is addressed in s + 2 and offered to the memory in s + 4, one a cycle; what the
// memory does not take at once waits in a FIFO, whose room is reserved before a word is read. The memory acknowledges
// every word; `done` with the last acknowledgement. Lengths as in gw_load_unit.
`include "gw_isa.vh"
module gw_store_unit #(
    parameter WIDTH = 64,
    parameter LOG_BYTES = 3,
    parameter LOCAL = 13
) (
    input  wire                           clk,
    input  wire                           rst,
    input  wire                           take,
    input  wire [32*`GW_STORE_WORDS-1:0]  head,
    input  wire [32*`GW_STORE_WORDS-1:0]  current,
    output wire                           done,
    output wire                           activation_read,
    output wire [LOCAL-1:0]               activation_address,
    input  wire [WIDTH-1:0]               activation_data,      // two cycles later
    output wire                           write_valid,
    input  wire                           write_ready,
    output wire [31:0]                    write_address,
    output wire [WIDTH-1:0]               write_data,
    input  wire                           write_response
);
    localparam D = 32 - LOG_BYTES;
    wire [31:0] row_bytes = head[`GW_STORE_ROW_BYTES];
    wire [31:0] rows = head[`GW_STORE_ROWS];
    wire [31:0] planes = head[`GW_STORE_PLANES];
    wire [31:0] first_local = head[`GW_STORE_LOCAL_ADDRESS];
    wire [31:0] first_dram = head[`GW_STORE_DRAM_ADDRESS];
    wire [15:0] final_word = row_bytes[LOG_BYTES +: 16] - 16'd1;
    wire [15:0] final_row = rows[15:0] - 16'd1;
    wire [15:0] final_plane = planes[15:0] - 16'd1;
    wire [31:0] local_row_stride = current[`GW_STORE_LOCAL_ROW_STRIDE];
    wire [31:0] local_plane_stride = current[`GW_STORE_LOCAL_PLANE_STRIDE];
    wire [31:0] dram_row_stride = current[`GW_STORE_DRAM_ROW_STRIDE];
    wire [31:0] dram_plane_stride = current[`GW_STORE_DRAM_PLANE_STRIDE];

    // Reads.
    reg reading = 0;
    wire room, here;
    wire [2:0] read_last, read_advance;
    assign activation_read = reading && room;
    gw_loops #(.LEVELS(3), .COUNT(16)) reads (
        .clk(clk), .load(take), .step(activation_read), .last(read_last), .advance(read_advance),
        .final_index({final_plane, final_row, final_word})
    );
    gw_loop_address #(.LEVELS(3), .WIDTH(LOCAL)) sources (
        .clk(clk), .load(take), .start(first_local[LOG_BYTES +: LOCAL]),
        .strides({local_plane_stride[LOG_BYTES +: LOCAL], local_row_stride[LOG_BYTES +: LOCAL], {{LOCAL-1{1'b0}}, 1'b1}}),
        .step(activation_read), .advance(read_advance), .address(activation_address)
    );
    gw_delay #(.WIDTH(1), .CYCLES(2)) arriving (.clk(clk), .rst(rst), .in(activation_read), .out(here));

    // Words on their way: straight to the memory, or through the FIFO.
    wire waiting;
    wire [WIDTH-1:0] waited;
    wire write = write_valid && write_ready;
    assign write_valid = waiting || here;
    assign write_data = waiting ? waited : activation_data;
    gw_credit #(.CREDITS(8), .TAKE(1), .COUNT(4)) credit (
        .clk(clk), .rst(rst), .start(activation_read), .give(write), .ready(room)
    );
    gw_fifo #(.WIDTH(WIDTH), .DEPTH(8), .ADDRESS(3)) fifo (
        .clk(clk), .rst(rst),
        .push_valid(here && (waiting || !write_ready)), .push_ready(), .push_data(activation_data),
        .pop_valid(waiting), .pop_ready(write_ready), .pop_data(waited)
    );

    wire [2:0] last, advance;
    wire [D-1:0] word_address;
    assign write_address = {word_address, {LOG_BYTES{1'b0}}};
    gw_loops #(.LEVELS(3), .COUNT(16)) writes (
        .clk(clk), .load(take), .step(write), .last(last), .advance(advance),
        .final_index({final_plane, final_row, final_word})
    );
    gw_loop_address #(.LEVELS(3), .WIDTH(D)) targets (
        .clk(clk), .load(take), .start(first_dram[31:LOG_BYTES]),
        .strides({dram_plane_stride[31:LOG_BYTES], dram_row_stride[31:LOG_BYTES], {{D-1{1'b0}}, 1'b1}}),
        .step(write), .advance(advance), .address(word_address)
    );

    // Acknowledgements.
    reg all_written = 0;
    reg [15:0] outstanding = 0;
    assign done = all_written && write_response && outstanding == 1;
    always @(posedge clk) begin
        if (take)
            reading <= 1;
        else if (activation_read && &read_last)
            reading <= 0;
        all_written <= !take && !done && (all_written || (write && &last));
        outstanding <= outstanding + write - write_response;
        if (rst) begin
            reading <= 0;
            all_written <= 0;
            outstanding <= 0;
        end
    end
endmodule
