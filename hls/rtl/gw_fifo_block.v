// First-word-fall-through FIFO in block memory, with the oldest token waiting in an output register.
//
// A token pushed in cycle t can be popped from cycle t + 2 on. `DEPTH` tokens fit into the memory, one more into the
// output register.
module gw_fifo_block #(
    parameter WIDTH = 8,
    parameter DEPTH = 512,
    parameter ADDRESS = 9   // 2**ADDRESS >= DEPTH
) (
    input  wire             clk,
    input  wire             rst,
    input  wire             push_valid,
    output wire             push_ready,
    input  wire [WIDTH-1:0] push_data,
    output reg              pop_valid,
    input  wire             pop_ready,
    output wire [WIDTH-1:0] pop_data
);
    localparam [ADDRESS-1:0] LAST = DEPTH - 1;

    reg [ADDRESS-1:0] head = 0;
    reg [ADDRESS-1:0] tail = 0;
    reg empty = 1;
    reg full = 0;

    // The memory's own output register holds the oldest token: fetch the next when it is free or leaves.
    wire push = push_valid && push_ready;
    wire fetch = !empty && (!pop_valid || pop_ready);
    wire [ADDRESS-1:0] head_next = head == LAST ? {ADDRESS{1'b0}} : head + 1'b1;
    wire [ADDRESS-1:0] tail_next = tail == LAST ? {ADDRESS{1'b0}} : tail + 1'b1;

    assign push_ready = !full;

    gw_memory #(.WIDTH(WIDTH), .DEPTH(1 << ADDRESS), .ADDRESS(ADDRESS)) memory (
        .clk(clk),
        .write_enable(push), .write_address(tail), .write_data(push_data),
        .read_enable(fetch), .read_address(head), .read_data(pop_data)
    );

    initial pop_valid = 0;

    always @(posedge clk) begin
        if (push)
            tail <= tail_next;
        if (fetch)
            head <= head_next;
        if (push != fetch) begin
            full <= push && tail_next == head;
            empty <= fetch && head_next == tail;
        end
        if (fetch)
            pop_valid <= 1;
        else if (pop_ready)
            pop_valid <= 0;
        if (rst) begin
            head <= 0;
            tail <= 0;
            empty <= 1;
            full <= 0;
            pop_valid <= 0;
        end
    end
endmodule
