// A weight-stationary systolic accelerator: four units with a queue each, their scratchpads, and the instruction supply.
//
// Memory ports, words of WIDTH bits, addresses in bytes: instructions, reads, writes. A request is taken when valid and
// ready. Responses come in order, at any time later, and are always taken; a write's response says that it is done.
// `hand_out`, `start` and `done` (load, store, matrix, vector) tell an observer what happens when. hls/accelerator/README.md
// has the cycles.
`include "gw_isa.vh"
module gw_accelerator #(
    parameter SIDE = 8,                // rows and columns of the array, bytes of a memory word
    parameter LOG_SIDE = 3,
    parameter ACTIVATION_BANKS = 4,
    parameter ACTIVATION_BANK = 11,    // address bits within a bank: words, for accumulators rows
    parameter ACTIVATION_ADDRESS = 13,
    parameter WEIGHT_BANKS = 2,
    parameter WEIGHT_BANK = 11,
    parameter WEIGHT_ADDRESS = 12,
    parameter CONSTANT_BANKS = 1,
    parameter CONSTANT_BANK = 10,
    parameter CONSTANT_ADDRESS = 10,
    parameter ACCUMULATOR_BANKS = 2,
    parameter ACCUMULATOR_BANK = 9,
    parameter ACCUMULATOR_ADDRESS = 10,
    parameter LOCAL_ADDRESS = 13,      // the widest of the first three
    parameter QUEUE_DEPTH = 4,
    parameter LOG_QUEUE = 2,           // 2**LOG_QUEUE >= QUEUE_DEPTH
    parameter FETCH_DEPTH = 32,
    parameter LOG_FETCH = 5,
    parameter LOGIC = 0                // multipliers of the array in logic, see gw_pe
) (
    input  wire              clk,
    input  wire              rst,
    output wire              fetch_valid,
    input  wire              fetch_ready,
    output wire [31:0]       fetch_address,
    input  wire              fetch_response,
    input  wire [8*SIDE-1:0] fetch_data,
    output wire              read_valid,
    input  wire              read_ready,
    output wire [31:0]       read_address,
    input  wire              read_response,
    input  wire [8*SIDE-1:0] read_data,
    output wire              write_valid,
    input  wire              write_ready,
    output wire [31:0]       write_address,
    output wire [8*SIDE-1:0] write_data,
    input  wire              write_response,
    output wire              halted,
    output wire              fault,
    output wire [3:0]        hand_out,
    output wire [3:0]        start,
    output wire [3:0]        done
);
    localparam W = 8 * SIDE;
    localparam A = ACTIVATION_ADDRESS;

    // -- instructions ------------------------------------------------------------------------------------------------
    wire [`GW_INSTRUCTION_BITS-1:0] instruction;
    wire [127:0] completed;
    wire [3:0] queue_ready, take;
    wire [32*`GW_LOAD_WORDS-1:0] load_head, load_current;
    wire [32*`GW_STORE_WORDS-1:0] store_head, store_current;
    wire [32*`GW_MATMUL_WORDS-1:0] matrix_head, matrix_current;
    wire [32*`GW_VECTOR_WORDS-1:0] vector_head, vector_current;

    gw_fetch #(
        .WIDTH(W), .LOG_BYTES(LOG_SIDE), .STEPS(`GW_INSTRUCTION_BITS / W), .LOG_STEPS(7 - LOG_SIDE),
        .DEPTH(FETCH_DEPTH), .LOG_DEPTH(LOG_FETCH)
    ) fetch (
        .clk(clk), .rst(rst),
        .fetch_valid(fetch_valid), .fetch_ready(fetch_ready), .fetch_address(fetch_address),
        .fetch_response(fetch_response), .fetch_data(fetch_data),
        .hand_out(hand_out), .queue_ready(queue_ready), .instruction(instruction), .completed(completed),
        .halted(halted), .fault(fault)
    );
    gw_issue #(.WORDS(`GW_LOAD_WORDS), .DEPTH(QUEUE_DEPTH), .ADDRESS(LOG_QUEUE), .WAIT(`GW_WAIT_BIT)) load_issue (
        .clk(clk), .rst(rst), .push(hand_out[0]), .ready(queue_ready[0]), .pushed(instruction[32*`GW_LOAD_WORDS-1:0]),
        .completed(completed), .start(start[0]), .take(take[0]), .head(load_head), .current(load_current), .done(done[0])
    );
    gw_issue #(.WORDS(`GW_STORE_WORDS), .DEPTH(QUEUE_DEPTH), .ADDRESS(LOG_QUEUE), .WAIT(`GW_WAIT_BIT)) store_issue (
        .clk(clk), .rst(rst), .push(hand_out[1]), .ready(queue_ready[1]), .pushed(instruction[32*`GW_STORE_WORDS-1:0]),
        .completed(completed), .start(start[1]), .take(take[1]), .head(store_head), .current(store_current),
        .done(done[1])
    );
    gw_issue #(.WORDS(`GW_MATMUL_WORDS), .DEPTH(QUEUE_DEPTH), .ADDRESS(LOG_QUEUE), .WAIT(`GW_WAIT_BIT)) matrix_issue (
        .clk(clk), .rst(rst), .push(hand_out[2]), .ready(queue_ready[2]), .pushed(instruction[32*`GW_MATMUL_WORDS-1:0]),
        .completed(completed), .start(start[2]), .take(take[2]), .head(matrix_head), .current(matrix_current),
        .done(done[2])
    );
    gw_issue #(.WORDS(`GW_VECTOR_WORDS), .DEPTH(QUEUE_DEPTH), .ADDRESS(LOG_QUEUE), .WAIT(`GW_WAIT_BIT)) vector_issue (
        .clk(clk), .rst(rst), .push(hand_out[3]), .ready(queue_ready[3]), .pushed(instruction[32*`GW_VECTOR_WORDS-1:0]),
        .completed(completed), .start(start[3]), .take(take[3]), .head(vector_head), .current(vector_current),
        .done(done[3])
    );

    genvar u;
    generate
        for (u = 0; u < 4; u = u + 1) begin : counter
            reg [31:0] count = 0;
            assign completed[u*32 +: 32] = count;
            always @(posedge clk)
                count <= rst ? 32'd0 : count + done[u];
        end
    endgenerate

    // -- units -------------------------------------------------------------------------------------------------------
    wire [2:0] load_write;
    wire [LOCAL_ADDRESS-1:0] load_address;
    wire [W-1:0] load_data;
    gw_load_unit #(.WIDTH(W), .LOG_BYTES(LOG_SIDE), .LOCAL(LOCAL_ADDRESS)) load (
        .clk(clk), .rst(rst), .take(take[0]), .head(load_head), .current(load_current), .done(done[0]),
        .read_valid(read_valid), .read_ready(read_ready), .read_address(read_address),
        .read_response(read_response), .read_data(read_data),
        .write(load_write), .write_address(load_address), .write_data(load_data)
    );

    wire store_read, matrix_read, vector_read;
    wire [A-1:0] store_address, matrix_address, vector_address;
    wire [W-1:0] store_data, matrix_data, vector_data;
    gw_store_unit #(.WIDTH(W), .LOG_BYTES(LOG_SIDE), .LOCAL(A)) store (
        .clk(clk), .rst(rst), .take(take[1]), .head(store_head), .current(store_current), .done(done[1]),
        .activation_read(store_read), .activation_address(store_address), .activation_data(store_data),
        .write_valid(write_valid), .write_ready(write_ready), .write_address(write_address), .write_data(write_data),
        .write_response(write_response)
    );

    wire weight_read, add, add_first;
    wire [WEIGHT_ADDRESS-1:0] weight_address;
    wire [W-1:0] weight_data;
    wire [ACCUMULATOR_ADDRESS-1:0] add_address;
    wire [32*SIDE-1:0] sums;
    gw_matrix_unit #(
        .ROWS(SIDE), .LOG_ROWS(LOG_SIDE), .COLUMNS(SIDE), .ACTIVATION_ADDRESS(A), .WEIGHT_ADDRESS(WEIGHT_ADDRESS),
        .ACCUMULATOR_ADDRESS(ACCUMULATOR_ADDRESS), .LOGIC(LOGIC)
    ) matrix (
        .clk(clk), .rst(rst), .take(take[2]), .head(matrix_head), .current(matrix_current), .done(done[2]),
        .activation_read(matrix_read), .activation_address(matrix_address), .activation_data(matrix_data),
        .weight_read(weight_read), .weight_address(weight_address), .weight_data(weight_data),
        .add(add), .add_first(add_first), .add_address(add_address), .sums(sums)
    );

    wire accumulator_read, vector_write;
    wire [ACCUMULATOR_ADDRESS-1:0] accumulator_address;
    wire [32*SIDE-1:0] accumulator_data;
    wire [SIDE-1:0] constant_read;
    wire [SIDE*CONSTANT_ADDRESS-1:0] constant_address;
    wire [SIDE*W-1:0] constant_data;
    wire [A-1:0] vector_target;
    wire [W-1:0] vector_result;
    gw_vector_unit #(
        .COLUMNS(SIDE), .LOG_COLUMNS(LOG_SIDE), .ACTIVATION_ADDRESS(A), .CONSTANT_ADDRESS(CONSTANT_ADDRESS),
        .ACCUMULATOR_ADDRESS(ACCUMULATOR_ADDRESS)
    ) vector (
        .clk(clk), .rst(rst), .take(take[3]), .head(vector_head), .current(vector_current), .done(done[3]),
        .activation_read(vector_read), .activation_address(vector_address), .activation_data(vector_data),
        .accumulator_read(accumulator_read), .accumulator_address(accumulator_address),
        .accumulator_data(accumulator_data),
        .constant_read(constant_read), .constant_address(constant_address), .constant_data(constant_data),
        .write(vector_write), .write_address(vector_target), .write_data(vector_result)
    );

    // -- scratchpads -------------------------------------------------------------------------------------------------
    gw_scratchpad #(
        .WIDTH(W), .BANKS(ACTIVATION_BANKS), .BANK_ADDRESS(ACTIVATION_BANK), .ADDRESS(A), .READERS(3), .WRITERS(2)
    ) activations (
        .clk(clk),
        .read_enable({store_read, matrix_read, vector_read}),
        .read_address({store_address, matrix_address, vector_address}),
        .read_data({store_data, matrix_data, vector_data}),
        .write_enable({load_write[0], vector_write}), .write_address({load_address[A-1:0], vector_target}),
        .write_data({load_data, vector_result})
    );
    gw_scratchpad #(
        .WIDTH(W), .BANKS(WEIGHT_BANKS), .BANK_ADDRESS(WEIGHT_BANK), .ADDRESS(WEIGHT_ADDRESS)
    ) weights (
        .clk(clk),
        .read_enable(weight_read), .read_address(weight_address), .read_data(weight_data),
        .write_enable(load_write[1]), .write_address(load_address[WEIGHT_ADDRESS-1:0]), .write_data(load_data)
    );
    gw_accumulators #(
        .COLUMNS(SIDE), .BANKS(ACCUMULATOR_BANKS), .BANK_ADDRESS(ACCUMULATOR_BANK), .ADDRESS(ACCUMULATOR_ADDRESS)
    ) accumulators (
        .clk(clk), .rst(rst), .add(add), .first(add_first), .address(add_address), .sums(sums),
        .read(accumulator_read), .read_address(accumulator_address), .read_data(accumulator_data)
    );
    genvar k;
    generate
        for (k = 0; k < SIDE; k = k + 1) begin : constants
            gw_scratchpad #(
                .WIDTH(W), .BANKS(CONSTANT_BANKS), .BANK_ADDRESS(CONSTANT_BANK), .ADDRESS(CONSTANT_ADDRESS)
            ) copy (
                .clk(clk),
                .read_enable(constant_read[k]), .read_address(constant_address[k*CONSTANT_ADDRESS +: CONSTANT_ADDRESS]),
                .read_data(constant_data[k*W +: W]),
                .write_enable(load_write[2]), .write_address(load_address[CONSTANT_ADDRESS-1:0]),
                .write_data(load_data)
            );
        end
    endgenerate
endmodule
