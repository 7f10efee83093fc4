// Counters of nested loops, level 0 the innermost: a step a cycle, without bubbles between levels.
//
// `load` takes the counts less one; the first iteration is the state right behind it. `last` says for every level that
// its iteration is the last one, `advance` which level the next step moves on (one hot; none: the step ends the nest).
// The flags are registers: nothing is compared in the cycle that uses them.
module gw_loops #(
    parameter LEVELS = 3,
    parameter COUNT = 16       // bits of a count less one
) (
    input  wire                    clk,
    input  wire                    load,
    input  wire [LEVELS*COUNT-1:0] final_index,   // iterations of every level, less one
    input  wire                    step,
    output wire [LEVELS-1:0]       last,
    output wire [LEVELS-1:0]       advance
);
    genvar l;
    generate
        for (l = 0; l < LEVELS; l = l + 1) begin : level
            reg [COUNT-1:0] left = 0;      // iterations behind this one
            reg [COUNT-1:0] all = 0;
            reg is_last = 1, is_single = 1;
            wire below;                    // all inner levels are in their last iteration
            if (l == 0) begin : innermost
                assign below = 1'b1;
            end else begin : outer
                assign below = &last[l-1:0];
            end
            assign last[l] = is_last;
            assign advance[l] = below && !is_last;
            always @(posedge clk)
                if (load) begin
                    left <= final_index[l*COUNT +: COUNT];
                    all <= final_index[l*COUNT +: COUNT];
                    is_last <= final_index[l*COUNT +: COUNT] == 0;
                    is_single <= final_index[l*COUNT +: COUNT] == 0;
                end else if (step && below) begin
                    if (is_last) begin
                        left <= all;
                        is_last <= is_single;
                    end else begin
                        left <= left - 1'b1;
                        is_last <= left == 1;
                    end
                end
        end
    endgenerate
endmodule
