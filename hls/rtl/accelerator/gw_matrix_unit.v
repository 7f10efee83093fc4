// Matrix unit: addresses, weights and pixels of one instruction after the other, sums into the accumulators.
//
// Time of an instruction is cut into slots: one of ROWS cycles in which the first fold's weights come, then one for every
// fold, in which its pixels go through the array, one a cycle, and the next fold's weights come in the first ROWS cycles;
// it lasts max(pixels, ROWS) cycles. With `start` in cycle s slots begin in s + 2; `done` is ROWS + COLUMNS + 5 cycles
// behind the last cycle of the last slot, when the last sum is written.
//
// From the address of a pixel, cycle t: t + 2 its word, t + 3 it enters the array, t + ROWS + 5 + j the sum of column j.
`include "gw_isa.vh"
module gw_matrix_unit #(
    parameter ROWS = 8,
    parameter LOG_ROWS = 3,              // also of the bytes of a word
    parameter COLUMNS = 8,
    parameter ACTIVATION_ADDRESS = 13,
    parameter WEIGHT_ADDRESS = 12,
    parameter ACCUMULATOR_ADDRESS = 10,
    parameter LOGIC = 0                  // multipliers in logic, see gw_pe
) (
    input  wire                            clk,
    input  wire                            rst,
    input  wire                            take,
    input  wire [32*`GW_MATMUL_WORDS-1:0]  head,
    input  wire [32*`GW_MATMUL_WORDS-1:0]  current,
    output wire                            done,
    output wire                            activation_read,
    output wire [ACTIVATION_ADDRESS-1:0]   activation_address,
    input  wire [8*ROWS-1:0]               activation_data,      // two cycles later
    output wire                            weight_read,
    output wire [WEIGHT_ADDRESS-1:0]       weight_address,
    input  wire [8*COLUMNS-1:0]            weight_data,          // two cycles later
    output wire                            add,
    output wire                            add_first,
    output wire [ACCUMULATOR_ADDRESS-1:0]  add_address,
    output wire [32*COLUMNS-1:0]           sums                  // three cycles behind add, column by column
);
    localparam A = ACTIVATION_ADDRESS;

    // -- loops: x, y, input block, window column, window row, output block -------------------------------------------
    wire [15:0] height = head[`GW_MATMUL_HEIGHT];
    wire [15:0] width = head[`GW_MATMUL_WIDTH];
    wire [15:0] kernel_height = head[`GW_MATMUL_KERNEL_HEIGHT];
    wire [15:0] kernel_width = head[`GW_MATMUL_KERNEL_WIDTH];
    wire [15:0] input_blocks = head[`GW_MATMUL_INPUT_BLOCKS];
    wire [15:0] output_blocks = head[`GW_MATMUL_OUTPUT_BLOCKS];
    wire [31:0] first_activation = head[`GW_MATMUL_ACTIVATION_ADDRESS];
    wire [31:0] first_weight = head[`GW_MATMUL_WEIGHT_ADDRESS];
    wire [31:0] first_accumulator = head[`GW_MATMUL_ACCUMULATOR_ADDRESS];
    wire [31:0] pixel_stride = current[`GW_MATMUL_PIXEL_STRIDE];
    wire [31:0] row_stride = current[`GW_MATMUL_ROW_STRIDE];
    wire [31:0] kernel_pixel_stride = current[`GW_MATMUL_KERNEL_PIXEL_STRIDE];
    wire [31:0] kernel_row_stride = current[`GW_MATMUL_KERNEL_ROW_STRIDE];
    wire activation_signed = current[`GW_MATMUL_ACTIVATION_SIGNED];
    wire weight_signed = current[`GW_MATMUL_WEIGHT_SIGNED];
    wire [15:0] weight_zero = current[`GW_MATMUL_WEIGHT_ZERO];
    wire accumulate = current[`GW_MATMUL_ACCUMULATE];

    wire [5:0] last, advance;
    gw_loops #(.LEVELS(6), .COUNT(16)) loops (
        .clk(clk), .load(take), .step(activation_read), .last(last), .advance(advance),
        .final_index({
            output_blocks - 16'd1, kernel_height - 16'd1, kernel_width - 16'd1, input_blocks - 16'd1,
            height - 16'd1, width - 16'd1
        })
    );
    gw_loop_address #(.LEVELS(6), .WIDTH(A)) activations (
        .clk(clk), .load(take), .start(first_activation[LOG_ROWS +: A]),
        .strides({
            {A{1'b0}}, kernel_row_stride[LOG_ROWS +: A], kernel_pixel_stride[LOG_ROWS +: A], {{A-1{1'b0}}, 1'b1},
            row_stride[LOG_ROWS +: A], pixel_stride[LOG_ROWS +: A]
        }),
        .step(activation_read), .advance(advance), .address(activation_address)
    );

    // -- slots -------------------------------------------------------------------------------------------------------
    reg running = 0;
    reg preloading = 0;        // the slot without pixels
    reg pixels_left = 0, rows_left = 0;
    reg first_pixel = 0;
    reg last_fold = 0;         // the slot's pixels were the program's last
    reg [LOG_ROWS-1:0] row = 0;

    wire last_pixel = last[0] && last[1];
    wire last_row = row == ROWS - 1;
    wire slot_ends = (preloading || !pixels_left || last_pixel) && (!rows_left || last_row);
    wire finish = running && slot_ends && !preloading && (last_fold || (pixels_left && &last));

    assign activation_read = running && !preloading && pixels_left;
    assign weight_read = running && rows_left;

    always @(posedge clk) begin
        if (take) begin
            running <= 1;
            preloading <= 1;
            rows_left <= 1;
            pixels_left <= 1;
            first_pixel <= 1;
            last_fold <= 0;
            row <= 0;
        end else if (running) begin
            if (activation_read && &last)
                last_fold <= 1;
            if (slot_ends) begin
                running <= !finish;
                preloading <= 0;
                rows_left <= 1;
                pixels_left <= 1;
                first_pixel <= 1;
                row <= 0;
            end else begin
                if (activation_read) begin
                    first_pixel <= 0;
                    pixels_left <= !last_pixel;
                end
                if (rows_left)
                    row <= row + 1'b1;
                if (last_row)
                    rows_left <= 0;
            end
        end
        if (rst)
            running <= 0;
    end
    gw_delay #(.WIDTH(1), .CYCLES(ROWS + COLUMNS + 5)) drain (.clk(clk), .rst(rst), .in(finish), .out(done));

    // -- weights: word after word; two cycles to the word, one to its register, one to be centred ---------------------
    reg [WEIGHT_ADDRESS-1:0] next_weight;
    assign weight_address = next_weight;
    always @(posedge clk)
        if (take)
            next_weight <= first_weight[LOG_ROWS +: WEIGHT_ADDRESS];
        else if (weight_read)
            next_weight <= next_weight + 1'b1;

    reg [8*COLUMNS-1:0] word;
    wire [9*COLUMNS-1:0] weights;
    wire weight_here;
    wire [LOG_ROWS-1:0] row_here;
    wire [ROWS-1:0] weight_row = weight_here ? {{ROWS-1{1'b0}}, 1'b1} << row_here : {ROWS{1'b0}};
    gw_delay #(.WIDTH(1 + LOG_ROWS), .CYCLES(4)) weight_rows (
        .clk(clk), .rst(rst), .in({weight_read, row}), .out({weight_here, row_here})
    );
    always @(posedge clk)
        word <= weight_data;
    genvar j;
    generate
        for (j = 0; j < COLUMNS; j = j + 1) begin : column
            wire [7:0] raw = word[j*8 +: 8];
            reg [8:0] centred;
            always @(posedge clk)
                centred <= {weight_signed && raw[7], raw} - weight_zero[8:0];
            assign weights[j*9 +: 9] = centred;
        end
    endgenerate

    // -- pixels ------------------------------------------------------------------------------------------------------
    reg [8*ROWS-1:0] pixel;
    wire [9*ROWS-1:0] extended;
    wire swap;
    gw_delay #(.WIDTH(1), .CYCLES(3)) swaps (.clk(clk), .rst(rst), .in(activation_read && first_pixel), .out(swap));
    always @(posedge clk)
        pixel <= activation_data;
    genvar i;
    generate
        for (i = 0; i < ROWS; i = i + 1) begin : input_row
            assign extended[i*9 +: 9] = {activation_signed && pixel[i*8+7], pixel[i*8 +: 8]};
        end
    endgenerate
    gw_systolic_array #(.ROWS(ROWS), .COLUMNS(COLUMNS), .LOGIC(LOGIC)) array (
        .clk(clk), .swap(swap), .pixel(extended), .weight_row(weight_row), .weights(weights), .sums(sums)
    );

    // -- accumulators: row after row; the folds of an output block go over the same rows -----------------------------
    reg [ACCUMULATOR_ADDRESS-1:0] accumulator, block;
    reg first_fold;
    wire [ACCUMULATOR_ADDRESS-1:0] behind = accumulator + 1'b1;
    always @(posedge clk)
        if (take) begin
            accumulator <= first_accumulator[ACCUMULATOR_ADDRESS-1:0];
            block <= first_accumulator[ACCUMULATOR_ADDRESS-1:0];
            first_fold <= 1;
        end else if (activation_read) begin
            if (|advance[4:2]) begin
                accumulator <= block;
                first_fold <= 0;
            end else
                accumulator <= behind;
            if (advance[5]) begin
                block <= behind;
                first_fold <= 1;
            end
        end
    gw_delay #(.WIDTH(ACCUMULATOR_ADDRESS + 2), .CYCLES(ROWS + 2)) sum_rows (
        .clk(clk), .rst(rst), .in({activation_read, first_fold && !accumulate, accumulator}),
        .out({add, add_first, add_address})
    );
endmodule
