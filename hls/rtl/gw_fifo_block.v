// First-word-fall-through FIFO in block memory. The oldest token waits in a register of its own: a block memory is slow
// from clock to output, and what pops begins with logic.
//
// A token pushed in cycle t can be popped from cycle t + 3 on. `DEPTH` tokens fit into the memory, one more behind its
// port and one into the register.
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
    output reg  [WIDTH-1:0] pop_data
);
    localparam [ADDRESS-1:0] LAST = DEPTH - 1;

    reg [ADDRESS-1:0] head = 0;
    reg [ADDRESS-1:0] tail = 0;
    reg empty = 1;
    reg full = 0;

    // What is fetched stands at the memory's port (`fetched`) until it moves into the register; the next is fetched when
    // the port is free or its token moves.
    reg fetched = 0;
    wire [WIDTH-1:0] port_data;
    wire push = push_valid && push_ready;
    wire move = fetched && (!pop_valid || pop_ready);
    wire fetch = !empty && (!fetched || move);
    wire [ADDRESS-1:0] head_next = head == LAST ? {ADDRESS{1'b0}} : head + 1'b1;
    wire [ADDRESS-1:0] tail_next = tail == LAST ? {ADDRESS{1'b0}} : tail + 1'b1;

    assign push_ready = !full;

    gw_memory #(.WIDTH(WIDTH), .DEPTH(1 << ADDRESS), .ADDRESS(ADDRESS)) memory (
        .clk(clk),
        .write_enable(push), .write_address(tail), .write_data(push_data),
        .read_enable(fetch), .read_address(head), .read_data(port_data)
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
            fetched <= 1;
        else if (move)
            fetched <= 0;
        if (move) begin
            pop_valid <= 1;
            pop_data <= port_data;
        end else if (pop_ready)
            pop_valid <= 0;
        if (rst) begin
            head <= 0;
            tail <= 0;
            empty <= 1;
            full <= 0;
            fetched <= 0;
            pop_valid <= 0;
        end
    end
endmodule
