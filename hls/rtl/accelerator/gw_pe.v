// Processing element of a weight-stationary array: sum_out = sum_in + x * weight, 9 by 9 bits into 32.
//
// x and its flag go right, a register a cell; sums go down, a register a cell. The product has a register of its own, so
// the sum belongs to the x of three cycles before (input register, product, sum). The next weight waits in `shadow`: it is
// taken when `weight_enable` passes to the right, and goes to work at the edge at which `swap`, which travels with the
// first pixel of a fold, enters. The product is what synthesis makes of `*` (a hard multiplier, where there is one), with
// LOGIC = 1 carry cells of an ECP5: many hard multipliers in a row of the device have too few wires around them.
module gw_pe #(
    parameter LOGIC = 0
) (
    input  wire               clk,
    input  wire signed [8:0]  x_in,
    input  wire               swap_in,
    output reg  signed [8:0]  x_out,
    output reg                swap_out,
    input  wire signed [8:0]  weight,
    input  wire               weight_enable_in,
    output reg                weight_enable_out,
    input  wire signed [31:0] sum_in,
    output reg  signed [31:0] sum_out
);
    reg signed [8:0] shadow, active;
    reg signed [17:0] product;

    initial swap_out = 0;
    initial weight_enable_out = 0;

    always @(posedge clk) begin
        x_out <= x_in;
        swap_out <= swap_in;
        weight_enable_out <= weight_enable_in;
        if (weight_enable_in)
            shadow <= weight;
        if (swap_in)
            active <= shadow;
        sum_out <= sum_in + product;
    end

    generate
        if (LOGIC) begin : cells
            wire signed [17:0] result;
            gw_ccu2c_multiplier #(.A(9), .B(9), .CYCLES(1)) multiplier (
                .clk(clk), .a(x_out), .b(active), .product(result)
            );
            always @*
                product = result;
        end else begin : hard
            always @(posedge clk)
                product <= x_out * active;
        end
    endgenerate
endmodule
