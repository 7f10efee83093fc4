// The network at the end of a serial line.
//
// From the host: the bytes of tokens (gw_pack). With several inputs, each token after a byte with the input's number.
// To the host:   a byte with the output's number, then the bytes of one token (gw_unpack); or 8'hff alone, a credit:
//                another 2**CHUNK bytes were taken from the FIFO. The host starts with 2**ADDRESS bytes of credit.
// A break on the line restarts the link (here) and the network (`restart`).
module gw_uart_link #(
    parameter CLOCKS = 16,       // cycles of a bit
    parameter COUNT = 5,         // 2**COUNT > CLOCKS
    parameter INPUTS = 1,
    parameter OUTPUTS = 1,
    parameter ADDRESS = 9,
    parameter CHUNK = 7
) (
    input  wire                 clk,
    input  wire                 rst,
    input  wire                 rx,
    output wire                 tx,
    output wire                 restart,
    output wire                 overflow,
    output wire [INPUTS-1:0]    to_valid,
    input  wire [INPUTS-1:0]    to_ready,
    input  wire [INPUTS-1:0]    to_last,
    output wire [7:0]           to_data,
    input  wire [OUTPUTS-1:0]   from_valid,
    output wire [OUTPUTS-1:0]   from_ready,
    input  wire [OUTPUTS-1:0]   from_last,
    input  wire [8*OUTPUTS-1:0] from_data
);
    // host -> network
    wire received, waiting, take, credit;
    wire [7:0] received_data;
    reg [7:0] into = 0;          // the input whose token this is
    reg numbered = 0;              // `into` holds its number
    wire tag_next = INPUTS > 1 && !numbered;

    gw_uart_rx #(.CLOCKS(CLOCKS), .ADDRESS(COUNT)) receiver (
        .clk(clk), .rx(rx), .valid(received), .data(received_data), .brk(restart));

    gw_uart_fifo #(.ADDRESS(ADDRESS), .CHUNK(CHUNK)) fifo (
        .clk(clk), .rst(rst), .push(received), .push_data(received_data),
        .pop_valid(waiting), .pop_ready(take), .pop_data(to_data), .credit(credit), .overflow(overflow));

    genvar i;
    generate
        for (i = 0; i < INPUTS; i = i + 1) begin : input_port
            assign to_valid[i] = waiting && !tag_next && into == i;
        end
    endgenerate
    wire taken = |(to_valid & to_ready);
    assign take = tag_next || taken;

    always @(posedge clk) begin
        if (waiting && tag_next) begin
            into <= to_data;
            numbered <= 1;
        end else if (taken && |(to_valid & to_last)) begin
            numbered <= 0;
        end
        if (rst) begin
            into <= 0;
            numbered <= 0;
        end
    end

    // network -> host
    reg [ADDRESS-CHUNK:0] credits = 0;   // credits not told yet
    reg busy = 0;                        // in a token of output `from`
    reg [7:0] from = 0;
    reg [7:0] next = 0;                  // the output asked next
    wire free;
    wire from_now = |(from_valid & (1 << from));
    wire last_now = |(from_last & (1 << from));
    wire [7:0] data_now = from_data >> {from, 3'b000};
    wire tell = !busy && credits != 0;
    wire start = !busy && credits == 0 && |(from_valid & (1 << next));
    wire send = tell || start || (busy && from_now);

    generate
        for (i = 0; i < OUTPUTS; i = i + 1) begin : output_port
            assign from_ready[i] = busy && free && from == i;
        end
    endgenerate

    gw_uart_tx #(.CLOCKS(CLOCKS), .ADDRESS(COUNT)) transmitter (
        .clk(clk), .rst(rst), .valid(send), .ready(free), .data(tell ? 8'hff : busy ? data_now : next), .tx(tx));

    always @(posedge clk) begin
        credits <= credits + credit - (tell && free);
        if (!busy && !start)
            next <= next == OUTPUTS - 1 ? 8'd0 : next + 1'b1;
        if (start && free) begin
            from <= next;
            busy <= 1;
        end
        if (busy && from_now && free && last_now)
            busy <= 0;
        if (rst) begin
            credits <= 0;
            busy <= 0;
            next <= 0;
        end
    end
endmodule
