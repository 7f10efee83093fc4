// Bytes to tokens: an element is the low BITS bits of BYTES bytes, least significant byte first; LANES elements are a
// token, the first in the least significant bits.
module gw_pack #(
    parameter LANES = 1,
    parameter BITS = 8,
    parameter BYTES = 1
) (
    input  wire                  clk,
    input  wire                  rst,
    input  wire                  byte_valid,
    output wire                  byte_ready,
    input  wire [7:0]            byte_data,
    output wire                  byte_last,   // the byte that is waited for completes a token
    output reg                   valid = 0,
    input  wire                  ready,
    output reg  [LANES*BITS-1:0] data = 0
);
    reg [8*BYTES-1:0] element = 0;
    reg [15:0] lane = 0;
    reg [2:0] position = 0;

    wire [8*BYTES+7:0] longer = {byte_data, element};
    wire [8*BYTES-1:0] complete = longer[8*BYTES+7:8];
    wire [LANES*BITS+BITS-1:0] shifted = {complete[BITS-1:0], data};
    wire element_last = position == BYTES - 1;

    assign byte_ready = !valid;
    assign byte_last = element_last && lane == LANES - 1;

    always @(posedge clk) begin
        if (ready)
            valid <= 0;
        if (byte_valid && byte_ready) begin
            element <= complete;
            position <= element_last ? 3'd0 : position + 1'b1;
            if (element_last) begin
                data <= shifted[LANES*BITS+BITS-1:BITS];
                lane <= byte_last ? 16'd0 : lane + 1'b1;
                valid <= byte_last;
            end
        end
        if (rst) begin
            valid <= 0;
            lane <= 0;
            position <= 0;
        end
    end
endmodule
