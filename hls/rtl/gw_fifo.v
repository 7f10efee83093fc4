// First-word-fall-through FIFO in registers or distributed memory.
//
// A token pushed in cycle t can be popped from cycle t + 1 on. `DEPTH` tokens fit.
module gw_fifo #(
    parameter WIDTH = 8,   // bits of a token
    parameter DEPTH = 4,   // tokens
    parameter ADDRESS = 2, // bits of a position: 2**ADDRESS >= DEPTH
    parameter REGISTERS = 0 // 1: flip-flops, where the device has no distributed memory
) (
    input  wire             clk,
    input  wire             rst,
    input  wire             push_valid,
    output wire             push_ready,
    input  wire [WIDTH-1:0] push_data,
    output wire             pop_valid,
    input  wire             pop_ready,
    output wire [WIDTH-1:0] pop_data
);
    localparam [ADDRESS-1:0] LAST = DEPTH - 1;

    // Said, or synthesis takes block memory where a register of the reader stands behind the port.
    (* ram_style = REGISTERS ? "registers" : "distributed" *)
    reg [WIDTH-1:0] memory [0:(1 << ADDRESS)-1];
    reg [ADDRESS-1:0] head = 0;
    reg [ADDRESS-1:0] tail = 0;
    reg empty = 1;
    reg full = 0;

    wire push = push_valid && push_ready;
    wire pop = pop_valid && pop_ready;
    wire [ADDRESS-1:0] head_next = head == LAST ? {ADDRESS{1'b0}} : head + 1'b1;
    wire [ADDRESS-1:0] tail_next = tail == LAST ? {ADDRESS{1'b0}} : tail + 1'b1;

    assign push_ready = !full;
    assign pop_valid = !empty;
    assign pop_data = memory[head];

    always @(posedge clk) begin
        if (push) begin
            memory[tail] <= push_data;
            tail <= tail_next;
        end
        if (pop)
            head <= head_next;
        if (push != pop) begin
            full <= push && tail_next == head;
            empty <= pop && head_next == tail;
        end
        if (rst) begin
            head <= 0;
            tail <= 0;
            empty <= 1;
            full <= 0;
        end
    end
endmodule
