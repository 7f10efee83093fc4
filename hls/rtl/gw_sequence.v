// Addresses 0, 1, ... WORDS - 1, 0, ... of a ROM that is read in order: `next` moves on.
//
// COPIES of the address stand side by side, one for every few block memories: a single one would have to reach memories
// all over the die within a cycle. The copies take what one register has ready for them, so nothing but wires lies in
// front of them or behind.
module gw_sequence #(
    parameter WORDS = 16,
    parameter ADDRESS = 4,    // 2**ADDRESS >= WORDS
    parameter COPIES = 1
) (
    input  wire                       clk,
    input  wire                       rst,
    input  wire                       next,
    output wire [COPIES*ADDRESS-1:0]  address
);
    localparam WRAPS = WORDS == 1 << ADDRESS;   // by itself
    localparam [ADDRESS-1:0] FIRST = 0;

    genvar c;
    generate
        if (WORDS == 1) begin : one
            assign address = 0;
        end else if (COPIES == 1) begin : single
            reg [ADDRESS-1:0] position = 0;
            always @(posedge clk)
                if (rst)
                    position <= FIRST;
                else if (next)
                    position <= !WRAPS && position == WORDS - 1 ? FIRST : position + 1'b1;
            assign address = position;
        end else begin : many
            reg [ADDRESS-1:0] coming = 1;
            always @(posedge clk)
                if (rst)
                    coming <= 1;
                else if (next)
                    coming <= !WRAPS && coming == WORDS - 1 ? FIRST : coming + 1'b1;
            for (c = 0; c < COPIES; c = c + 1) begin : copy
                reg [ADDRESS-1:0] position = 0;
                // Without `keep` synthesis makes one register of all copies.
                (* keep *)
                always @(posedge clk)
                    if (rst)
                        position <= FIRST;
                    else if (next)
                        position <= coming;
                assign address[c*ADDRESS +: ADDRESS] = position;
            end
        end
    endgenerate
endmodule
