// UART receiver: 8 data bits, no parity, one stop bit. `brk` is 1 while a break holds the line low.
module gw_uart_rx #(
    parameter CLOCKS = 16,  // cycles of a bit, at least 4
    parameter ADDRESS = 5   // 2**ADDRESS > CLOCKS
) (
    input  wire       clk,
    input  wire       rx,
    output reg        valid = 0,   // for one cycle
    output reg  [7:0] data = 0,
    output reg        brk = 0
);
    localparam [ADDRESS-1:0] LAST = CLOCKS - 1;
    localparam [ADDRESS-1:0] MIDDLE = CLOCKS / 2;

    reg [1:0] line = 2'b11;       // the line in our clock
    reg [ADDRESS-1:0] count = 0;  // cycles left of the bit
    reg [3:0] position = 0;       // 0: idle, 1: start bit, 2..9: data, 10: stop bit

    always @(posedge clk) begin
        line <= {line[0], rx};
        valid <= 0;
        if (line[1])
            brk <= 0;
        if (position == 0) begin
            count <= MIDDLE;
            if (!line[1] && !brk)
                position <= 1;
        end else if (count != 0) begin
            count <= count - 1'b1;
        end else begin
            count <= LAST;
            position <= position + 1'b1;
            if (position == 1) begin
                if (line[1])
                    position <= 0;
            end else if (position <= 9) begin
                data <= {line[1], data[7:1]};
            end else begin
                position <= 0;
                valid <= line[1];
                brk <= !line[1];
            end
        end
    end
endmodule
