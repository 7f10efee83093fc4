// Serial line to an accelerator and its memory.
//
// A command is nine bytes: what to do, the address of a word (4 bytes, least first), a number of words (likewise).
//   1 write: the words follow.   2 read: the words come back.
//   3 run the program at the address: when it has halted, a word comes back, least byte first: in bits 30:0 the cycles it
//     took, in bit 31 whether it met an unknown opcode.
// The accelerator is in reset unless it runs. A break restarts the link (`restart`) and ends a run.
module gw_accelerator_link #(
    parameter CLOCKS = 16,       // cycles of a bit
    parameter COUNT = 5,         // 2**COUNT > CLOCKS
    parameter BYTES = 8,         // of a word
    parameter LOG_BYTES = 3,
    parameter ADDRESS = 14
) (
    input  wire                 clk,
    input  wire                 rst,
    input  wire                 rx,
    output wire                 tx,
    output wire                 restart,
    output reg                  host_write,
    output wire                 host_read,
    output reg  [ADDRESS-1:0]   address,
    output reg  [8*BYTES-1:0]   word,
    input  wire                 host_response,
    input  wire [8*BYTES-1:0]   data,
    output reg                  accelerator_rst,
    input  wire                 halted,
    input  wire                 fault
);
    localparam [2:0] COMMAND = 0, WRITE = 1, READ = 2, WAIT = 3, SEND = 4, RUN = 5;
    reg [2:0] state = COMMAND;
    reg [71:0] command;
    reg [3:0] got = 0;                   // bytes of the command
    reg [31:0] left = 0;                 // words
    reg [LOG_BYTES:0] bytes = 0;         // of the word, or still to be sent
    reg [31:0] cycles = 0;
    reg status = 0;                      // what is sent is the outcome of a run
    wire received, free;
    wire [7:0] received_data;
    wire [71:0] next_command = {received_data, command[71:8]};
    wire [31:0] count = next_command[71:40];
    wire send = state == SEND;

    initial host_write = 0;
    initial accelerator_rst = 1;

    gw_uart_rx #(.CLOCKS(CLOCKS), .ADDRESS(COUNT)) receiver (
        .clk(clk), .rx(rx), .valid(received), .data(received_data), .brk(restart));
    gw_uart_tx #(.CLOCKS(CLOCKS), .ADDRESS(COUNT)) transmitter (
        .clk(clk), .rst(rst), .valid(send), .ready(free), .data(word[7:0]), .tx(tx));

    assign host_read = state == READ;

    always @(posedge clk) begin
        host_write <= 0;
        if (host_write)
            address <= address + 1'b1;
        case (state)
            COMMAND: if (received) begin
                command <= next_command;
                got <= got == 8 ? 4'd0 : got + 1'b1;
                bytes <= 0;
                if (got == 8) begin
                    address <= next_command[8 +: ADDRESS];
                    left <= count;
                    cycles <= 0;
                    accelerator_rst <= next_command[7:0] != 3;
                    status <= next_command[7:0] == 3;
                    if (next_command[7:0] == 3)
                        state <= RUN;
                    else if (count != 0)
                        state <= next_command[7:0] == 1 ? WRITE : next_command[7:0] == 2 ? READ : COMMAND;
                end
            end
            WRITE: if (received) begin
                word <= {received_data, word[8*BYTES-1:8]};
                bytes <= bytes == BYTES - 1 ? {LOG_BYTES+1{1'b0}} : bytes + 1'b1;
                if (bytes == BYTES - 1) begin
                    host_write <= 1;
                    left <= left - 1'b1;
                    if (left == 1)
                        state <= COMMAND;
                end
            end
            READ: state <= WAIT;
            WAIT: if (host_response) begin
                word <= data;
                bytes <= BYTES;
                address <= address + 1'b1;
                left <= left - 1'b1;
                state <= SEND;
            end
            SEND: if (free) begin
                word <= {8'd0, word[8*BYTES-1:8]};
                bytes <= bytes - 1'b1;
                if (bytes == 1)
                    state <= status || left == 0 ? COMMAND : READ;
            end
            default: begin                // RUN
                cycles <= cycles + 1'b1;
                if (halted && !accelerator_rst) begin
                    accelerator_rst <= 1;
                    word <= {fault, cycles[30:0]};
                    bytes <= BYTES;
                    state <= SEND;
                end
            end
        endcase
        if (rst) begin
            state <= COMMAND;
            got <= 0;
            accelerator_rst <= 1;
        end
    end
endmodule
