// A function of up to some 12 bits by look-up, lane by lane, two cycles late: entry x - qmin of the table, that is x with
// its sign bit inverted where x is signed.
module gw_table #(
    parameter LANES = 1,
    parameter X = 8,
    parameter X_SIGNED = 1,
    parameter OUT = 8,
    parameter BLOCK = 0,
    parameter FILE = ""
) (
    input  wire                 clk,
    input  wire [LANES*X-1:0]   in,
    output wire [LANES*OUT-1:0] out
);
    genvar k;
    generate
        for (k = 0; k < LANES; k = k + 1) begin : lane
            wire [X-1:0] x = in[k*X +: X];
            wire [X-1:0] address = X_SIGNED ? x ^ {1'b1, {(X-1){1'b0}}} : x;
            gw_rom #(.WIDTH(OUT), .ROWS(1 << X), .ROW(X), .ADDRESS(X), .BLOCK(BLOCK), .FILE(FILE)) rom (
                .clk(clk), .address(address), .data(out[k*OUT +: OUT])
            );
        end
    endgenerate
endmodule
