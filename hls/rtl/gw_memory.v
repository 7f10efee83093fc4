// Memory with one write port and one read port; what is read appears one cycle later and stays.
//
// No reader of this library reads an address in the cycle in which it is written, so no bypass logic is wanted
// (`no_rw_check`): without the attribute yosys adds some 40 LUTs and flip-flops to every small memory.
module gw_memory #(
    parameter WIDTH = 8,
    parameter DEPTH = 512,
    parameter ADDRESS = 9,
    parameter BLOCK = 1       // 1: block memory, 0: distributed memory, 2: flip-flops, where the device has none
) (
    input  wire               clk,
    input  wire               write_enable,
    input  wire [ADDRESS-1:0] write_address,
    input  wire [WIDTH-1:0]   write_data,
    input  wire               read_enable,
    input  wire [ADDRESS-1:0] read_address,
    output reg  [WIDTH-1:0]   read_data
);
    generate
        if (BLOCK == 1) begin : block
            (* no_rw_check, ram_style = "block" *)
            reg [WIDTH-1:0] memory [0:DEPTH-1];
            always @(posedge clk) begin
                if (write_enable)
                    memory[write_address] <= write_data;
                if (read_enable)
                    read_data <= memory[read_address];
            end
        end else if (BLOCK == 2) begin : registers
            (* no_rw_check, ram_style = "registers" *)
            reg [WIDTH-1:0] memory [0:DEPTH-1];
            always @(posedge clk) begin
                if (write_enable)
                    memory[write_address] <= write_data;
                if (read_enable)
                    read_data <= memory[read_address];
            end
        end else begin : distributed
            (* no_rw_check, ram_style = "distributed" *)
            reg [WIDTH-1:0] memory [0:DEPTH-1];
            always @(posedge clk) begin
                if (write_enable)
                    memory[write_address] <= write_data;
                if (read_enable)
                    read_data <= memory[read_address];
            end
        end
    endgenerate
endmodule
