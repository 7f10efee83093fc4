// Shift register: WIDTH bits, CYCLES cycles late (0: a wire).
module gw_delay #(
    parameter WIDTH = 1,
    parameter CYCLES = 1
) (
    input  wire             clk,
    input  wire             rst,
    input  wire [WIDTH-1:0] in,
    output wire [WIDTH-1:0] out
);
    generate
        if (CYCLES == 0) begin : none
            assign out = in;
        end else begin : some
            reg [CYCLES*WIDTH-1:0] line = 0;
            wire [(CYCLES+1)*WIDTH-1:0] next = {line, in};
            always @(posedge clk)
                line <= rst ? {CYCLES*WIDTH{1'b0}} : next[CYCLES*WIDTH-1:0];
            assign out = line[CYCLES*WIDTH-1 -: WIDTH];
        end
    endgenerate
endmodule
