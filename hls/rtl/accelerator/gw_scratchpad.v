// Scratchpad of BANKS banks by the high address bits, each with one read and one write port a cycle.
//
// Readers and writers share the ports by multiplexers without an arbiter: the program's waits keep two of them from one
// port of a bank at the same time. An address in cycle t is at the bank's port in t + 1; what is read is at `read_data`
// in t + 2, what is written can be read by an address of cycle t + 1 on.
module gw_scratchpad #(
    parameter WIDTH = 64,
    parameter BANKS = 4,
    parameter BANK_ADDRESS = 11,   // a bank holds 2**BANK_ADDRESS words
    parameter ADDRESS = 13,        // bits of an address: BANK_ADDRESS and those of the bank
    parameter READERS = 1,
    parameter WRITERS = 1
) (
    input  wire                       clk,
    input  wire [READERS-1:0]         read_enable,
    input  wire [READERS*ADDRESS-1:0] read_address,
    output wire [READERS*WIDTH-1:0]   read_data,
    input  wire [WRITERS-1:0]         write_enable,
    input  wire [WRITERS*ADDRESS-1:0] write_address,
    input  wire [WRITERS*WIDTH-1:0]   write_data
);
    wire [BANKS*WIDTH-1:0] outputs;

    genvar b;
    genvar r;
    generate
        for (b = 0; b < BANKS; b = b + 1) begin : bank
            reg reads, writes, read = 0, write = 0;
            reg [BANK_ADDRESS-1:0] read_to, write_to, read_at, write_at;
            reg [WIDTH-1:0] word, written;
            integer i;
            always @* begin
                reads = 0;
                read_to = 0;
                for (i = 0; i < READERS; i = i + 1)
                    if (read_enable[i] && (read_address[i*ADDRESS +: ADDRESS] >> BANK_ADDRESS) == b) begin
                        reads = 1;
                        read_to = read_to | read_address[i*ADDRESS +: BANK_ADDRESS];
                    end
                writes = 0;
                write_to = 0;
                word = 0;
                for (i = 0; i < WRITERS; i = i + 1)
                    if (write_enable[i] && (write_address[i*ADDRESS +: ADDRESS] >> BANK_ADDRESS) == b) begin
                        writes = 1;
                        write_to = write_to | write_address[i*ADDRESS +: BANK_ADDRESS];
                        word = word | write_data[i*WIDTH +: WIDTH];
                    end
            end
            always @(posedge clk) begin
                read <= reads;
                read_at <= read_to;
                write <= writes;
                write_at <= write_to;
                written <= word;
            end
            gw_memory #(.WIDTH(WIDTH), .DEPTH(1 << BANK_ADDRESS), .ADDRESS(BANK_ADDRESS)) memory (
                .clk(clk),
                .write_enable(write), .write_address(write_at), .write_data(written),
                .read_enable(read), .read_address(read_at), .read_data(outputs[b*WIDTH +: WIDTH])
            );
        end
        for (r = 0; r < READERS; r = r + 1) begin : reader
            reg [ADDRESS-1:0] late, chosen;
            reg late_enable = 0;
            wire [ADDRESS-1:0] index = chosen >> BANK_ADDRESS;
            always @(posedge clk) begin
                late <= read_address[r*ADDRESS +: ADDRESS];
                late_enable <= read_enable[r];
                if (late_enable)
                    chosen <= late;
            end
            if (BANKS == 1) begin : single
                assign read_data[r*WIDTH +: WIDTH] = outputs;
            end else begin : several
                assign read_data[r*WIDTH +: WIDTH] = outputs[index*WIDTH +: WIDTH];
            end
        end
    endgenerate
endmodule
