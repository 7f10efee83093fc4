// Load unit: rows of memory words into a scratchpad (load), or one byte all over it (fill).
//
// With `start` in cycle s the first request goes out in s + 2, one a cycle; a word that comes back in cycle q is written in
// q + 2, and so is a word of a fill, as if it had come in s + 2 and on. `done` with the last one. Addresses, strides and
// lengths are whole words; planes, rows, and words of a row are at least one and at most 65536 each.
`include "gw_isa.vh"
module gw_load_unit #(
    parameter WIDTH = 64,
    parameter LOG_BYTES = 3,
    parameter LOCAL = 13             // bits of the word address in the largest scratchpad
) (
    input  wire                          clk,
    input  wire                          rst,
    input  wire                          take,
    input  wire [32*`GW_LOAD_WORDS-1:0]  head,
    input  wire [32*`GW_LOAD_WORDS-1:0]  current,
    output wire                          done,
    output wire                          read_valid,
    input  wire                          read_ready,
    output wire [31:0]                   read_address,
    input  wire                          read_response,
    input  wire [WIDTH-1:0]              read_data,
    output wire [2:0]                    write,       // activation, weight, constant
    output wire [LOCAL-1:0]              write_address,
    output reg  [WIDTH-1:0]              write_data
);
    localparam D = 32 - LOG_BYTES;
    wire [31:0] row_bytes = head[`GW_LOAD_ROW_BYTES];
    wire [31:0] rows = head[`GW_LOAD_ROWS];
    wire [31:0] planes = head[`GW_LOAD_PLANES];
    wire [31:0] first_local = head[`GW_LOAD_LOCAL_ADDRESS];
    wire [31:0] first_dram = head[`GW_LOAD_DRAM_ADDRESS];
    wire [15:0] final_word = row_bytes[LOG_BYTES +: 16] - 16'd1;
    wire [15:0] final_row = rows[15:0] - 16'd1;
    wire [15:0] final_plane = planes[15:0] - 16'd1;
    wire [31:0] local_row_stride = current[`GW_LOAD_LOCAL_ROW_STRIDE];
    wire [31:0] local_plane_stride = current[`GW_LOAD_LOCAL_PLANE_STRIDE];
    wire [31:0] dram_row_stride = current[`GW_LOAD_DRAM_ROW_STRIDE];
    wire [31:0] dram_plane_stride = current[`GW_LOAD_DRAM_PLANE_STRIDE];
    wire [7:0] space = current[`GW_LOAD_SPACE];
    wire [7:0] value = current[`GW_FILL_VALUE];
    wire is_fill = current[`GW_OPCODE] == `GW_OP_FILL;
    wire head_is_fill = head[`GW_OPCODE] == `GW_OP_FILL;

    // Requests.
    reg requesting = 0;
    wire [2:0] request_last, request_advance;
    wire [D-1:0] word_address;
    wire request = read_valid && read_ready;
    assign read_valid = requesting;
    assign read_address = {word_address, {LOG_BYTES{1'b0}}};
    gw_loops #(.LEVELS(3), .COUNT(16)) requests (
        .clk(clk), .load(take), .step(request), .last(request_last), .advance(request_advance),
        .final_index({final_plane, final_row, final_word})
    );
    gw_loop_address #(.LEVELS(3), .WIDTH(D)) sources (
        .clk(clk), .load(take), .start(first_dram[31:LOG_BYTES]),
        .strides({dram_plane_stride[31:LOG_BYTES], dram_row_stride[31:LOG_BYTES], {{D-1{1'b0}}, 1'b1}}),
        .step(request), .advance(request_advance), .address(word_address)
    );

    // Words: of responses, or of a fill. `filling` ends with the word before the last one is here.
    reg filling = 0, here = 0;
    wire [2:0] last, advance, fill_last;
    wire arrives = filling || read_response;
    gw_loops #(.LEVELS(3), .COUNT(16)) fills (
        .clk(clk), .load(take), .step(filling), .last(fill_last), .advance(),
        .final_index({final_plane, final_row, final_word})
    );
    gw_loops #(.LEVELS(3), .COUNT(16)) words (
        .clk(clk), .load(take), .step(here), .last(last), .advance(advance),
        .final_index({final_plane, final_row, final_word})
    );
    gw_loop_address #(.LEVELS(3), .WIDTH(LOCAL)) targets (
        .clk(clk), .load(take), .start(first_local[LOG_BYTES +: LOCAL]),
        .strides({local_plane_stride[LOG_BYTES +: LOCAL], local_row_stride[LOG_BYTES +: LOCAL], {{LOCAL-1{1'b0}}, 1'b1}}),
        .step(here), .advance(advance), .address(write_address)
    );
    assign write = {
        here && space == `GW_SPACE_CONSTANT, here && space == `GW_SPACE_WEIGHT, here && space == `GW_SPACE_ACTIVATION
    };
    gw_delay #(.WIDTH(1), .CYCLES(1)) drain (.clk(clk), .rst(rst), .in(here && &last), .out(done));

    always @(posedge clk) begin
        if (take)
            requesting <= !head_is_fill;
        else if (request && &request_last)
            requesting <= 0;
        if (take)
            filling <= head_is_fill;
        else if (&fill_last)
            filling <= 0;
        here <= arrives;
        write_data <= is_fill ? {WIDTH/8{value}} : read_data;
        if (rst) begin
            requesting <= 0;
            filling <= 0;
            here <= 0;
        end
    end
endmodule
