// PE results at once to tokens of LANES results, one token a cycle from the next cycle on; PE = LANES: a wire.
module gw_serialize #(
    parameter PE = 4,
    parameter LANES = 1,
    parameter WIDTH = 24,
    parameter COUNT = 2       // bits that hold PE / LANES
) (
    input  wire                   clk,
    input  wire                   rst,
    input  wire                   in_valid,
    input  wire [PE*WIDTH-1:0]    in,
    output wire                   out_valid,
    output wire [LANES*WIDTH-1:0] out
);
    generate
        if (PE == LANES) begin : parallel
            assign out_valid = in_valid;
            assign out = in;
        end else begin : serial
            reg [PE*WIDTH-1:0] held;
            reg [COUNT-1:0] left = 0;
            reg busy = 0;
            always @(posedge clk) begin
                if (in_valid)
                    held <= in;
                else
                    held <= held >> (LANES * WIDTH);
                if (rst) begin
                    left <= 0;
                    busy <= 0;
                end else if (in_valid) begin
                    left <= PE / LANES - 1;
                    busy <= 1;
                end else if (busy) begin
                    left <= left - 1'b1;
                    busy <= left != 0;
                end
            end
            assign out_valid = busy;
            assign out = held[LANES*WIDTH-1:0];
        end
    endgenerate
endmodule
