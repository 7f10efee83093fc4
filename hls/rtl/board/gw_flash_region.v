// Bytes of one region of the flash: the FIFO they wait in, and where the next burst begins.
module gw_flash_region #(
    parameter [23:0] BASE = 0,
    parameter [23:0] BYTES = 1,
    parameter BURST = 256
) (
    input  wire        clk,
    input  wire        rst,
    output reg         wants = 0,      // there is room for a burst
    output wire [23:0] address,        // of it
    output wire [15:0] length,
    input  wire        grant,          // it begins
    input  wire        push,
    input  wire [7:0]  push_data,
    output wire        valid,
    input  wire        ready,
    output wire [7:0]  data
);
    reg [23:0] position = 0;           // of the next burst in the region
    reg [9:0] promised = 0;            // bytes in the FIFO and on their way
    wire [23:0] left = BYTES - position;

    assign address = BASE + position;
    assign length = left > BURST ? BURST : left[15:0];

    wire push_ready;
    gw_fifo_block #(.WIDTH(8), .DEPTH(512), .ADDRESS(9)) fifo (
        .clk(clk), .rst(rst), .push_valid(push), .push_ready(push_ready), .push_data(push_data),
        .pop_valid(valid), .pop_ready(ready), .pop_data(data)
    );

    wire [9:0] next = promised + (grant ? length[9:0] : 10'd0) - (valid && ready);
    always @(posedge clk) begin
        promised <= next;
        wants <= next <= 512 - BURST && !grant;
        if (grant)
            position <= left > BURST ? position + BURST : 24'd0;
        if (rst) begin
            promised <= 0;
            position <= 0;
            wants <= 0;
        end
    end
endmodule
