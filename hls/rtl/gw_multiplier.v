// Product of two numbers.
//
// STYLE says what it is made of: "mult18" one MULT18X18D (ECP5), "mac16" one SB_MAC16 (iCE40 UltraPlus), "lut" logic,
// "ccu2c" carry cells of an ECP5, "ternary" no multiplier at all: b is -1, 0 or 1. The product is two cycles late; three
// with "mult18" and "ccu2c": from a multiplier to the logic behind it is a long way, which has the third to itself. "adds"
// is logic that synthesis makes sums of shifted operands of, where b is a constant; it takes three cycles, too.
module gw_multiplier #(
    parameter A = 8,
    parameter A_SIGNED = 1,
    parameter B = 8,          // b is signed
    parameter STYLE = "lut"
) (
    input  wire                  clk,
    input  wire [A-1:0]          a,
    input  wire [B-1:0]          b,
    output wire signed [A+B-1:0] product
);
    wire signed [A:0] wide_a = {A_SIGNED ? a[A-1] : 1'b0, a};
    wire signed [B-1:0] wide_b = b;

    generate
        if (STYLE == "mult18") begin : mult18
            wire [17:0] operand_a = {{(18-A){A_SIGNED ? a[A-1] : 1'b0}}, a};
            wire [17:0] operand_b = {{(18-B){b[B-1]}}, b};
            wire [35:0] result;
            gw_mult18x18d multiplier (.clk(clk), .a(operand_a), .b(operand_b), .p(result));
            reg signed [A+B-1:0] arrived;
            always @(posedge clk)
                arrived <= result[A+B-1:0];
            assign product = arrived;
        end else if (STYLE == "mac16") begin : mac16
            wire [15:0] operand_a = {{(16-A){A_SIGNED ? a[A-1] : 1'b0}}, a};
            wire [15:0] operand_b = {{(16-B){b[B-1]}}, b};
            wire [31:0] result;
            gw_sb_mac16 multiplier (.clk(clk), .a(operand_a), .b(operand_b), .p(result));
            assign product = result[A+B-1:0];
        end else if (STYLE == "ternary") begin : ternary
            reg signed [A+B-1:0] chosen, result;
            always @(posedge clk) begin
                chosen <= b[0] ? (b[B-1] ? -wide_a : wide_a) : 0;
                result <= chosen;
            end
            assign product = result;
        end else if (STYLE == "ccu2c") begin : ccu2c
            gw_ccu2c_multiplier #(.A(A), .A_SIGNED(A_SIGNED), .B(B)) multiplier (
                .clk(clk), .a(a), .b(b), .product(product)
            );
        end else if (STYLE == "adds") begin : adds
            wire signed [A+B-1:0] sum;
            reg signed [A+B-1:0] arrived;
            gw_lut_multiplier #(.A(A), .A_SIGNED(A_SIGNED), .B(B)) multiplier (
                .clk(clk), .a(a), .b(b), .product(sum)
            );
            always @(posedge clk)
                arrived <= sum;
            assign product = arrived;
        end else begin : lut
            gw_lut_multiplier #(.A(A), .A_SIGNED(A_SIGNED), .B(B)) multiplier (
                .clk(clk), .a(a), .b(b), .product(product)
            );
        end
    endgenerate
endmodule
