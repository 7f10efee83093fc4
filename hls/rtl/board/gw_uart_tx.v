// UART transmitter: 8 data bits, no parity, one stop bit.
module gw_uart_tx #(
    parameter CLOCKS = 16,  // cycles of a bit
    parameter ADDRESS = 5   // 2**ADDRESS > CLOCKS
) (
    input  wire       clk,
    input  wire       rst,
    input  wire       valid,
    output wire       ready,
    input  wire [7:0] data,
    output wire       tx
);
    localparam [ADDRESS-1:0] LAST = CLOCKS - 1;

    reg [8:0] bits = 9'h1ff;      // what is still to be sent; bit 0 is on the line
    reg [3:0] left = 0;           // bits left
    reg [ADDRESS-1:0] count = 0;

    assign ready = left == 0;
    assign tx = bits[0];

    always @(posedge clk) begin
        if (ready) begin
            count <= LAST;
            if (valid) begin
                bits <= {data, 1'b0};
                left <= 10;
            end
        end else if (count != 0) begin
            count <= count - 1'b1;
        end else begin
            count <= LAST;
            bits <= {1'b1, bits[8:1]};
            left <= left - 1'b1;
        end
        if (rst) begin
            bits <= 9'h1ff;
            left <= 0;
        end
    end
endmodule
