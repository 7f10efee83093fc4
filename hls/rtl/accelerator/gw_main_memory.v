// Main memory of an accelerator in block memory: its three ports, and a port of the host's for when it rests.
//
// A word is read LATENCY = 3 cycles after its request is taken, written one cycle after. There is one read and one write
// port: reads go before instructions, the host's accesses come only while the accelerator is in reset.
module gw_main_memory #(
    parameter WIDTH = 64,
    parameter LOG_BYTES = 3,
    parameter WORDS = 16384,
    parameter ADDRESS = 14              // 2**ADDRESS >= WORDS
) (
    input  wire               clk,
    input  wire               rst,
    input  wire [ADDRESS-1:0] program_address,   // word in which the instructions begin
    input  wire               fetch_valid,
    output wire               fetch_ready,
    input  wire [31:0]        fetch_address,
    output wire               fetch_response,
    input  wire               read_valid,
    input  wire [31:0]        read_address,
    output wire               read_response,
    input  wire               write_valid,
    input  wire [31:0]        write_address,
    input  wire [WIDTH-1:0]   write_data,
    output reg                write_response,
    input  wire               host_write,
    input  wire [ADDRESS-1:0] host_address,
    input  wire [WIDTH-1:0]   host_data,
    input  wire               host_read,
    output wire               host_response,
    output reg  [WIDTH-1:0]   data                // of every response
);
    wire fetch = fetch_valid && fetch_ready;
    wire [ADDRESS-1:0] fetch_word = fetch_address[LOG_BYTES +: ADDRESS] + program_address;
    reg [ADDRESS-1:0] read_at, write_at;
    reg [WIDTH-1:0] written;
    reg write = 0;
    wire [WIDTH-1:0] word;

    initial write_response = 0;

    assign fetch_ready = !read_valid;
    gw_delay #(.WIDTH(3), .CYCLES(3)) responses (
        .clk(clk), .rst(rst), .in({fetch, read_valid, host_read}), .out({fetch_response, read_response, host_response})
    );
    gw_memory #(.WIDTH(WIDTH), .DEPTH(WORDS), .ADDRESS(ADDRESS)) memory (
        .clk(clk),
        .write_enable(write), .write_address(write_at), .write_data(written),
        .read_enable(1'b1), .read_address(read_at), .read_data(word)
    );

    always @(posedge clk) begin
        read_at <= host_read ? host_address : read_valid ? read_address[LOG_BYTES +: ADDRESS] : fetch_word;
        data <= word;
        write <= host_write || write_valid;
        write_at <= write_valid ? write_address[LOG_BYTES +: ADDRESS] : host_address;
        written <= write_valid ? write_data : host_data;
        write_response <= write_valid && !rst;
    end
endmodule
