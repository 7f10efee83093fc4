// Tokens to bytes, the inverse of gw_pack; bits of the last byte above the element are 0.
module gw_unpack #(
    parameter LANES = 1,
    parameter BITS = 8,
    parameter BYTES = 1
) (
    input  wire                  clk,
    input  wire                  rst,
    input  wire                  valid,
    output wire                  ready,
    input  wire [LANES*BITS-1:0] data,
    output reg                   byte_valid = 0,
    input  wire                  byte_ready,
    output wire [7:0]            byte_data,
    output wire                  byte_last    // the last of the token
);
    reg [LANES*BITS-1:0] token = 0;
    reg [15:0] lane = 0;
    reg [2:0] position = 0;

    wire [8*BYTES-1:0] element = token[BITS-1:0];   // widened with zeros
    wire [8*BYTES-1:0] remaining = element >> {position, 3'b000};
    wire element_last = position == BYTES - 1;

    assign ready = !byte_valid;
    assign byte_data = remaining[7:0];
    assign byte_last = element_last && lane == LANES - 1;

    always @(posedge clk) begin
        if (valid && ready) begin
            token <= data;
            byte_valid <= 1;
        end
        if (byte_valid && byte_ready) begin
            position <= element_last ? 3'd0 : position + 1'b1;
            if (element_last) begin
                token <= token >> BITS;
                lane <= byte_last ? 16'd0 : lane + 1'b1;
                byte_valid <= !byte_last;
            end
        end
        if (rst) begin
            byte_valid <= 0;
            lane <= 0;
            position <= 0;
        end
    end
endmodule
