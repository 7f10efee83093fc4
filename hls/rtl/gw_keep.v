// Takes WORDS words of weights once, hands them on, and gives them again and again from then on, out of SPRAM: memory an
// iCE40 UltraPlus has much of, but which holds nothing when the device wakes.
//
// What is read waits at the memory's port (`fetched`) until it moves into a register; the next is fetched when the port is
// free or its word moves.
module gw_keep #(
    parameter WIDTH = 16,
    parameter WORDS = 16,
    parameter ADDRESS = 4     // 2**ADDRESS >= WORDS
) (
    input  wire             clk,
    input  wire             rst,
    input  wire             in_valid,
    output wire             in_ready,
    input  wire [WIDTH-1:0] in_data,
    output wire             out_valid,
    input  wire             out_ready,
    output wire [WIDTH-1:0] out_data
);
    reg filled = 0;
    reg [ADDRESS-1:0] position = 0;   // written or fetched next
    reg fetched = 0;
    reg held_valid = 0;
    reg [WIDTH-1:0] held;
    wire [WIDTH-1:0] stored;

    wire write = !filled && in_valid && out_ready;
    wire move = fetched && (!held_valid || out_ready);
    wire fetch = filled && (!fetched || move);
    wire last = position == WORDS - 1;

    assign in_ready = !filled && out_ready;
    assign out_valid = filled ? held_valid : in_valid;
    assign out_data = filled ? held : in_data;

    gw_spram #(.WIDTH(WIDTH), .DEPTH(WORDS), .ADDRESS(ADDRESS)) memory (
        .clk(clk), .enable(write || fetch), .write(write), .address(position), .write_data(in_data), .read_data(stored)
    );

    always @(posedge clk) begin
        if (write || fetch)
            position <= last ? {ADDRESS{1'b0}} : position + 1'b1;
        if (write && last)
            filled <= 1;
        if (fetch)
            fetched <= 1;
        else if (move)
            fetched <= 0;
        if (move) begin
            held_valid <= 1;
            held <= stored;
        end else if (out_ready)
            held_valid <= 0;
        if (rst) begin
            filled <= 0;
            position <= 0;
            fetched <= 0;
            held_valid <= 0;
        end
    end
endmodule
