// Arithmetic right shift by a variable amount, two bits of the amount a cycle: STAGES cycles late (0: a wire).
module gw_shift #(
    parameter WIDTH = 24,
    parameter AMOUNT = 3,     // bits of the amount; 1 where there is none
    parameter STAGES = 2      // ceil(AMOUNT / 2), or 0 where the amount is always 0
) (
    input  wire                    clk,
    input  wire signed [WIDTH-1:0] in,
    input  wire [AMOUNT-1:0]       amount,
    output wire signed [WIDTH-1:0] out
);
    genvar s;
    generate
        for (s = 0; s <= STAGES; s = s + 1) begin : stage
            wire signed [WIDTH-1:0] value;
            wire [2*STAGES+1:0] rest;
            if (s == 0) begin : first
                assign value = in;
                assign rest = {{(2*STAGES+2){1'b0}}, amount};
            end else begin : later
                reg signed [WIDTH-1:0] shifted;
                reg [2*STAGES+1:0] kept;
                always @(posedge clk) begin
                    case (stage[s-1].rest[2*s-1 -: 2])
                        2'd0: shifted <= stage[s-1].value;
                        2'd1: shifted <= stage[s-1].value >>> (1 << (2 * s - 2));
                        2'd2: shifted <= stage[s-1].value >>> (2 << (2 * s - 2));
                        default: shifted <= stage[s-1].value >>> (3 << (2 * s - 2));
                    endcase
                    kept <= stage[s-1].rest;
                end
                assign value = shifted;
                assign rest = kept;
            end
        end
    endgenerate
    assign out = stage[STAGES].value;
endmodule
