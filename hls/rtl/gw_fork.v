// One stream to several readers: a token moves when all of them can take it, to all in the same cycle.
// Readers are FIFOs, whose ready does not depend on valid.
module gw_fork #(
    parameter WIDTH = 8,
    parameter READERS = 2
) (
    input  wire               in_valid,
    output wire               in_ready,
    input  wire [WIDTH-1:0]   in_data,
    output wire [READERS-1:0] out_valid,
    input  wire [READERS-1:0] out_ready,
    output wire [WIDTH-1:0]   out_data
);
    assign in_ready = &out_ready;
    assign out_valid = {READERS{in_valid && in_ready}};
    assign out_data = in_data;
endmodule
