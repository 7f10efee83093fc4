// Vector unit: COLUMNS channels a cycle through the seven operations (targets/accelerator/machine/vector.py says which).
//
// With `start` in cycle s operands are addressed from s + 2 on, one a cycle (two a pixel where there is an operand b), in
// front of every block of channels nine cycles of constants if they come by channel. From an address, cycle t: t + 3 the
// operand enters its lane, t + 13 the result leaves it, t + 14 it is written; `done` then, if it was the last.
//
// Constants are read through the same pipeline and taken COLLECT cycles later than they could be, when the last operand of
// the block before has passed. Every lane has its own copy of the constants, so each looks up its own table entry.
`include "gw_isa.vh"
module gw_vector_unit #(
    parameter COLUMNS = 8,
    parameter LOG_COLUMNS = 3,
    parameter ACTIVATION_ADDRESS = 13,
    parameter CONSTANT_ADDRESS = 10,
    parameter ACCUMULATOR_ADDRESS = 10
) (
    input  wire                            clk,
    input  wire                            rst,
    input  wire                            take,
    input  wire [32*`GW_VECTOR_WORDS-1:0]  head,
    input  wire [32*`GW_VECTOR_WORDS-1:0]  current,
    output wire                            done,
    output wire                            activation_read,
    output wire [ACTIVATION_ADDRESS-1:0]   activation_address,
    input  wire [8*COLUMNS-1:0]            activation_data,      // two cycles later
    output wire                            accumulator_read,
    output wire [ACCUMULATOR_ADDRESS-1:0]  accumulator_address,
    input  wire [32*COLUMNS-1:0]           accumulator_data,     // two cycles later
    output wire [COLUMNS-1:0]              constant_read,
    output wire [COLUMNS*CONSTANT_ADDRESS-1:0] constant_address,
    input  wire [COLUMNS*8*COLUMNS-1:0]    constant_data,        // two cycles later, a word a lane
    output wire                            write,
    output wire [ACTIVATION_ADDRESS-1:0]   write_address,
    output wire [8*COLUMNS-1:0]            write_data
);
    localparam BIG = ACTIVATION_ADDRESS > ACCUMULATOR_ADDRESS ? ACTIVATION_ADDRESS : ACCUMULATOR_ADDRESS;
    localparam A = ACTIVATION_ADDRESS;
    localparam K = CONSTANT_ADDRESS;
    localparam COLLECT = 3;

    // -- the instruction: decoded when it is taken, registers for all lanes -------------------------------------------
    wire [3:0] next = head[`GW_VECTOR_OPERATION];
    wire next_as_is = next == `GW_VECTOR_OP_MAX || next == `GW_VECTOR_OP_TABLE;   // neither scaled nor rounded
    wire next_add = next == `GW_VECTOR_OP_ADD;
    wire next_multiply = next == `GW_VECTOR_OP_MULTIPLY;
    wire next_table = next == `GW_VECTOR_OP_TABLE;
    wire [15:0] next_a_zero = head[`GW_VECTOR_A_ZERO];
    wire [15:0] next_other_zero = next_multiply ? head[`GW_VECTOR_B_ZERO] : head[`GW_VECTOR_WEIGHT_ZERO];
    reg takes_product, is_max, is_add, is_multiply, is_table, reduce, two, per_channel, by_channel, from_accumulator;
    reg a_signed, b_signed, weight_signed;
    reg [8:0] operand_zero, other_zero;
    reg [31:0] multiplier_a, multiplier_b;
    reg [63:0] addend;
    reg [5:0] shift;
    reg [15:0] result_zero, low, high;
    wire [31:0] table_address = current[`GW_VECTOR_WEIGHT_ADDRESS];
    always @(posedge clk)
        if (take) begin
            takes_product <= next == `GW_VECTOR_OP_DEPTHWISE || next_multiply;
            is_max <= next == `GW_VECTOR_OP_MAX;
            is_add <= next_add;
            is_multiply <= next_multiply;
            is_table <= next_table;
            reduce <= next == `GW_VECTOR_OP_DEPTHWISE || next == `GW_VECTOR_OP_SUM;
            two <= next_add || next_multiply;
            per_channel <= head[`GW_VECTOR_PER_CHANNEL];
            by_channel <= head[`GW_VECTOR_PER_CHANNEL] && !next_as_is && !next_add;
            from_accumulator <= head[`GW_VECTOR_FROM_ACCUMULATOR];
            a_signed <= head[`GW_VECTOR_A_SIGNED];
            b_signed <= head[`GW_VECTOR_B_SIGNED];
            weight_signed <= head[`GW_VECTOR_WEIGHT_SIGNED];
            operand_zero <= next_multiply ? next_a_zero[8:0] : 9'd0;
            other_zero <= next_other_zero[8:0];
            multiplier_a <= next_as_is ? 32'd1 : head[`GW_VECTOR_MULTIPLIER];
            multiplier_b <= next_as_is ? 32'd1 : next_add ? head[`GW_VECTOR_MULTIPLIER_B] : head[`GW_VECTOR_MULTIPLIER];
            addend <= next_as_is || (head[`GW_VECTOR_PER_CHANNEL] && !next_add) ? 64'd0 : head[`GW_VECTOR_ADDEND];
            shift <= next_as_is ? 6'd0 : head[`GW_VECTOR_SHIFT];
            result_zero <= next_as_is ? 16'd0 : head[`GW_VECTOR_OUTPUT_ZERO];
            low <= next_table ? 16'h8000 : head[`GW_VECTOR_CLAMP_LOW];
            high <= next_table ? 16'h7FFF : head[`GW_VECTOR_CLAMP_HIGH];
        end

    // -- loops: window column, window row, x, y, block ---------------------------------------------------------------
    wire [15:0] kernel_width = head[`GW_VECTOR_KERNEL_WIDTH];
    wire [15:0] kernel_height = head[`GW_VECTOR_KERNEL_HEIGHT];
    wire [15:0] width = head[`GW_VECTOR_WIDTH];
    wire [15:0] height = head[`GW_VECTOR_HEIGHT];
    wire [15:0] blocks = head[`GW_VECTOR_BLOCKS];
    wire [31:0] first_a = head[`GW_VECTOR_A_ADDRESS];
    wire [31:0] first_b = head[`GW_VECTOR_B_ADDRESS];
    wire [31:0] first_output = head[`GW_VECTOR_OUTPUT_ADDRESS];
    wire [31:0] first_weight = head[`GW_VECTOR_WEIGHT_ADDRESS];
    wire [31:0] first_parameter = head[`GW_VECTOR_PARAMETER_ADDRESS];
    wire [31:0] a_strides [0:4];
    wire [31:0] b_strides [0:2];
    wire [31:0] output_strides [0:2];
    assign a_strides[0] = current[`GW_VECTOR_A_KERNEL_PIXEL_STRIDE];
    assign a_strides[1] = current[`GW_VECTOR_A_KERNEL_ROW_STRIDE];
    assign a_strides[2] = current[`GW_VECTOR_A_PIXEL_STRIDE];
    assign a_strides[3] = current[`GW_VECTOR_A_ROW_STRIDE];
    assign a_strides[4] = current[`GW_VECTOR_A_BLOCK_STRIDE];
    assign b_strides[0] = current[`GW_VECTOR_B_PIXEL_STRIDE];
    assign b_strides[1] = current[`GW_VECTOR_B_ROW_STRIDE];
    assign b_strides[2] = current[`GW_VECTOR_B_BLOCK_STRIDE];
    assign output_strides[0] = current[`GW_VECTOR_OUTPUT_PIXEL_STRIDE];
    assign output_strides[1] = current[`GW_VECTOR_OUTPUT_ROW_STRIDE];
    assign output_strides[2] = current[`GW_VECTOR_OUTPUT_BLOCK_STRIDE];

    reg running = 0, reading_constants = 0, second = 0, window_first = 0;
    reg [3:0] constant = 0;
    wire issue = running && !reading_constants;
    wire step = issue && (!two || second);           // the last operand of a position
    wire [4:0] last, advance;
    wire window_last = last[0] && last[1];
    wire block_ends = step && &last[3:0];
    wire finish = step && &last;

    always @(posedge clk) begin
        if (take) begin
            running <= 1;
            reading_constants <= head[`GW_VECTOR_PER_CHANNEL];
            constant <= 0;
            second <= 0;
            window_first <= 1;
        end else begin
            if (running && reading_constants) begin
                constant <= constant == 8 ? 4'd0 : constant + 1'b1;
                reading_constants <= constant != 8;
            end
            if (issue && two)
                second <= !second;
            if (step)
                window_first <= !(|advance[1:0]);
            if (block_ends && per_channel)
                reading_constants <= 1;
            if (finish)
                running <= 0;
        end
        if (rst)
            running <= 0;
    end

    wire [BIG-1:0] a_address;
    wire [A-1:0] b_address;
    wire [5*BIG-1:0] a_strides_here;
    wire [3*A-1:0] b_strides_here, output_strides_here;
    genvar l;
    generate
        for (l = 0; l < 5; l = l + 1) begin : a_stride
            assign a_strides_here[l*BIG +: BIG] =
                from_accumulator ? a_strides[l][0 +: BIG] : a_strides[l][LOG_COLUMNS +: BIG];
        end
        for (l = 0; l < 3; l = l + 1) begin : stride
            assign b_strides_here[l*A +: A] = b_strides[l][LOG_COLUMNS +: A];
            assign output_strides_here[l*A +: A] = output_strides[l][LOG_COLUMNS +: A];
        end
    endgenerate
    gw_loops #(.LEVELS(5), .COUNT(16)) loops (
        .clk(clk), .load(take), .step(step), .last(last), .advance(advance),
        .final_index({blocks - 16'd1, height - 16'd1, width - 16'd1, kernel_height - 16'd1, kernel_width - 16'd1})
    );
    gw_loop_address #(.LEVELS(5), .WIDTH(BIG)) a_addresses (
        .clk(clk), .load(take),
        .start(head[`GW_VECTOR_FROM_ACCUMULATOR] ? first_a[0 +: BIG] : first_a[LOG_COLUMNS +: BIG]),
        .strides(a_strides_here), .step(step), .advance(advance), .address(a_address)
    );
    gw_loop_address #(.LEVELS(3), .WIDTH(A)) b_addresses (
        .clk(clk), .load(take), .start(first_b[LOG_COLUMNS +: A]),
        .strides(b_strides_here), .step(step), .advance(advance[4:2]), .address(b_address)
    );
    assign activation_read = issue && (second || !from_accumulator);
    assign activation_address = second ? b_address : a_address[A-1:0];
    assign accumulator_read = issue && !second && from_accumulator;
    assign accumulator_address = a_address[ACCUMULATOR_ADDRESS-1:0];

    // Weights of a block again for every pixel; constants one behind the other.
    reg [K-1:0] weight_address, block_weights, parameter_address;
    wire [K-1:0] weight_behind = weight_address + 1'b1;
    always @(posedge clk)
        if (take) begin
            weight_address <= first_weight[LOG_COLUMNS +: K];
            block_weights <= first_weight[LOG_COLUMNS +: K];
            parameter_address <= first_parameter[LOG_COLUMNS +: K];
        end else begin
            if (step)
                weight_address <= |advance[3:2] ? block_weights : weight_behind;
            if (step && advance[4])
                block_weights <= weight_behind;
            if (running && reading_constants)
                parameter_address <= parameter_address + 1'b1;
        end

    // -- controls, as they accompany an operand: *_n is n cycles behind its address ----------------------------------
    wire second_2, first_5, second_6, second_9, write_13;
    wire [2:0] advance_13;
    gw_delay #(.WIDTH(1), .CYCLES(2)) second_a (.clk(clk), .rst(rst), .in(second), .out(second_2));
    gw_delay #(.WIDTH(1), .CYCLES(4)) second_b (.clk(clk), .rst(rst), .in(second_2), .out(second_6));
    gw_delay #(.WIDTH(1), .CYCLES(3)) second_c (.clk(clk), .rst(rst), .in(second_6), .out(second_9));
    gw_delay #(.WIDTH(1), .CYCLES(5)) firsts (.clk(clk), .rst(rst), .in(window_first), .out(first_5));
    gw_delay #(.WIDTH(4), .CYCLES(13)) results (
        .clk(clk), .rst(rst), .in({step && window_last, advance[4:2]}), .out({write_13, advance_13})
    );
    gw_delay #(.WIDTH(1), .CYCLES(14)) drain (.clk(clk), .rst(rst), .in(finish), .out(done));

    // -- constants of a block of channels: COLUMNS biases and multipliers of 4 bytes, shifts of 1 byte ---------------
    wire taken;
    wire [3:0] taken_constant;
    reg [8*COLUMNS-1:0] weight_word;                 // 3
    wire [8*COLUMNS-1:0] constant_word;
    reg [36*8*COLUMNS/4-1:0] constants;              // nine words
    gw_delay #(.WIDTH(5), .CYCLES(2 + COLLECT)) taking (
        .clk(clk), .rst(rst), .in({running && reading_constants, constant}), .out({taken, taken_constant})
    );
    gw_delay #(.WIDTH(8 * COLUMNS), .CYCLES(COLLECT - 1)) collecting (
        .clk(clk), .rst(1'b0), .in(weight_word), .out(constant_word)
    );
    integer w;
    always @(posedge clk) begin
        weight_word <= constant_data[8*COLUMNS-1:0];
        for (w = 0; w < 9; w = w + 1)
            if (taken && taken_constant == w)
                constants[w*8*COLUMNS +: 8*COLUMNS] <= constant_word;
    end

    // -- lanes -------------------------------------------------------------------------------------------------------
    wire [31:0] multiplier_6 = second_6 ? multiplier_b : multiplier_a;
    genvar k;
    generate
        for (k = 0; k < COLUMNS; k = k + 1) begin : lane
            wire [7:0] byte_2 = activation_data[k*8 +: 8];
            wire [31:0] extended_2 = {{24{(second_2 ? b_signed : a_signed) && byte_2[7]}}, byte_2};
            reg [31:0] operand_3;
            always @(posedge clk)
                operand_3 <= from_accumulator && !second_2 ? accumulator_data[k*32 +: 32] : extended_2;

            // A table is asked in cycle 3, answers in 5; its byte is a register in 6.
            wire [7:0] place_5;
            wire [8*COLUMNS-1:0] entries_5 = constant_data[k*8*COLUMNS +: 8*COLUMNS];
            reg [7:0] entry_6;
            gw_delay #(.WIDTH(8), .CYCLES(2)) place (.clk(clk), .rst(1'b0), .in(operand_3[7:0]), .out(place_5));
            always @(posedge clk)
                entry_6 <= entries_5[place_5[LOG_COLUMNS-1:0]*8 +: 8];
            assign constant_read[k] = is_table || (k == 0 && running);
            assign constant_address[k*K +: K] =
                is_table ? table_address[LOG_COLUMNS +: K] + operand_3[7:LOG_COLUMNS]
                : reading_constants ? parameter_address : weight_address;

            wire [7:0] weight_3 = weight_word[k*8 +: 8];
            gw_vector_lane channel (
                .clk(clk),
                .operand(operand_3), .weight({weight_signed && weight_3[7], weight_3}),
                .operand_zero(operand_zero), .other_zero(other_zero),
                .takes_product(takes_product), .multiply(is_multiply), .maximum(is_max), .reduce(reduce),
                .add(is_add), .first(first_5),
                .table_result(is_table), .looked_up(entry_6),
                .bias(by_channel ? constants[k*32 +: 32] : 32'd0),
                .multiplier(by_channel ? constants[(COLUMNS+k)*32 +: 32] : multiplier_6),
                .second(second_9), .addend(addend),
                .shift(by_channel ? constants[64*COLUMNS+k*8 +: 6] : shift),
                .round_half(by_channel), .result_zero(result_zero), .low(low), .high(high),
                .result(write_data[k*8 +: 8])
            );
        end
    endgenerate

    // -- results -----------------------------------------------------------------------------------------------------
    assign write = write_13;
    gw_loop_address #(.LEVELS(3), .WIDTH(A)) output_addresses (
        .clk(clk), .load(take), .start(first_output[LOG_COLUMNS +: A]),
        .strides(output_strides_here), .step(write_13), .advance(advance_13), .address(write_address)
    );
endmodule
