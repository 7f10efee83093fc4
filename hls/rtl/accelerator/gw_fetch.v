// Instruction supply: reads the program word after word, hands every instruction to the queue of its unit in order, and
// ends with `halt`.
//
// Memory port: `fetch_address` (bytes) is taken when valid and ready; responses come in order, any time later, and are
// always taken. An instruction is handed out (`hand_out`, one hot: load, store, matrix, vector) when its last word is here
// and its queue has room, at most one every INSTRUCTION / WIDTH cycles: the words of the next one wait in a FIFO that
// covers the memory's latency. A halt hands nothing out; it ends the program in the cycle in which its waits are met.
`include "gw_isa.vh"
module gw_fetch #(
    parameter WIDTH = 64,         // bits of a memory word
    parameter LOG_BYTES = 3,      // log2 of its bytes
    parameter STEPS = 16,         // words of an instruction
    parameter LOG_STEPS = 4,
    parameter DEPTH = 32,         // words that are read ahead: the memory's latency and at least 6 more
    parameter LOG_DEPTH = 5
) (
    input  wire                           clk,
    input  wire                           rst,
    output wire                           fetch_valid,
    input  wire                           fetch_ready,
    output wire [31:0]                    fetch_address,
    input  wire                           fetch_response,
    input  wire [WIDTH-1:0]               fetch_data,
    output wire [3:0]                     hand_out,
    input  wire [3:0]                     queue_ready,
    output wire [`GW_INSTRUCTION_BITS-1:0] instruction,
    input  wire [127:0]                   completed,
    output reg                            halted,
    output reg                            fault      // an opcode that is none: the program ends there
);
    reg [31-LOG_BYTES:0] address = 0;
    reg [`GW_INSTRUCTION_BITS-1:0] words;
    reg [LOG_STEPS-1:0] count = 0;
    reg full = 0;
    wire room, waiting;
    wire [WIDTH-1:0] word;

    initial halted = 0;
    initial fault = 0;

    assign instruction = words;
    assign fetch_address = {address, {LOG_BYTES{1'b0}}};
    assign fetch_valid = room && !rst && !halted;
    wire request = fetch_valid && fetch_ready;

    wire [7:0] opcode = words[`GW_OPCODE];
    wire [3:0] unit = {
        opcode == `GW_OP_VECTOR, opcode == `GW_OP_MATMUL, opcode == `GW_OP_STORE,
        opcode == `GW_OP_LOAD || opcode == `GW_OP_FILL
    };
    wire [3:0] met;
    assign hand_out = {4{full && !halted}} & unit & queue_ready;
    wire handed = |hand_out;
    wire ends = full && !halted && (opcode == `GW_OP_HALT ? &met : unit == 0);
    wire pop = waiting && (!full || handed);

    genvar u;
    generate
        for (u = 0; u < 4; u = u + 1) begin : wait_of
            assign met[u] = completed[u*32 +: 32] >= words[`GW_WAIT_BIT+u*32 +: 32];
        end
    endgenerate

    gw_credit #(.CREDITS(DEPTH), .TAKE(1), .COUNT(LOG_DEPTH + 1)) credit (
        .clk(clk), .rst(rst), .start(request), .give(pop), .ready(room)
    );
    gw_fifo #(.WIDTH(WIDTH), .DEPTH(DEPTH), .ADDRESS(LOG_DEPTH)) ahead (
        .clk(clk), .rst(rst),
        .push_valid(fetch_response), .push_ready(), .push_data(fetch_data),
        .pop_valid(waiting), .pop_ready(pop), .pop_data(word)
    );

    always @(posedge clk) begin
        if (request)
            address <= address + 1'b1;
        if (pop) begin
            words <= {word, words[`GW_INSTRUCTION_BITS-1:WIDTH]};
            count <= count == STEPS - 1 ? {LOG_STEPS{1'b0}} : count + 1'b1;
        end
        full <= (pop && count == STEPS - 1) || (full && !handed);
        halted <= halted || ends;
        fault <= fault || (ends && opcode != `GW_OP_HALT);
        if (rst) begin
            address <= 0;
            count <= 0;
            full <= 0;
            halted <= 0;
            fault <= 0;
        end
    end
endmodule
