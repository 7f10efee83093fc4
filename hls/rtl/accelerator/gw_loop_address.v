// Address of the current iteration of a nest of loops (gw_loops): start + sum over levels of index * stride.
//
// Every level keeps the address its current iteration began with; a step adds the stride of the level that advances to
// that, and all inner levels begin there. One adder, no multiplier. Strides are held by the user from `load` on.
module gw_loop_address #(
    parameter LEVELS = 3,
    parameter WIDTH = 16
) (
    input  wire                    clk,
    input  wire                    load,
    input  wire [WIDTH-1:0]        start,
    input  wire [LEVELS*WIDTH-1:0] strides,
    input  wire                    step,
    input  wire [LEVELS-1:0]       advance,   // one hot
    output wire [WIDTH-1:0]        address
);
    wire [LEVELS*WIDTH-1:0] bases;
    reg [WIDTH-1:0] base, stride;
    wire [WIDTH-1:0] next = base + stride;
    integer i;

    assign address = bases[WIDTH-1:0];

    always @* begin
        base = 0;
        stride = 0;
        for (i = 0; i < LEVELS; i = i + 1) begin
            base = base | ({WIDTH{advance[i]}} & bases[i*WIDTH +: WIDTH]);
            stride = stride | ({WIDTH{advance[i]}} & strides[i*WIDTH +: WIDTH]);
        end
    end

    genvar l;
    generate
        for (l = 0; l < LEVELS; l = l + 1) begin : level
            reg [WIDTH-1:0] began = 0;
            assign bases[l*WIDTH +: WIDTH] = began;
            always @(posedge clk)
                if (load)
                    began <= start;
                else if (step && |advance[LEVELS-1:l])
                    began <= next;
        end
    endgenerate
endmodule
