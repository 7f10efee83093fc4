// Concatenation: tokens of STREAMS streams in turn, BURST[i] of stream i, then of the next, round and round.
// The streams have equal widths. A token moves when its stream has one and the reader takes it.
module gw_interleave #(
    parameter STREAMS = 2,
    parameter WIDTH = 8,
    parameter COUNT = 8,                       // bits that hold every BURST - 1
    parameter INDEX = 1,                       // bits that hold STREAMS - 1
    parameter [STREAMS*32-1:0] BURST = 0       // 32 bits a stream, stream 0 in the least significant ones
) (
    input  wire                     clk,
    input  wire                     rst,
    input  wire [STREAMS-1:0]       in_valid,
    output wire [STREAMS-1:0]       in_ready,
    input  wire [STREAMS*WIDTH-1:0] in_data,
    output wire                     out_valid,
    input  wire                     out_ready,
    output wire [WIDTH-1:0]         out_data
);
    reg [INDEX-1:0] stream = 0;
    reg [COUNT-1:0] count = 0;
    wire [31:0] burst = BURST[32*stream +: 32];
    wire last = count == burst - 1;
    wire move = out_valid && out_ready;

    assign out_valid = in_valid[stream];
    assign out_data = in_data[stream*WIDTH +: WIDTH];

    genvar i;
    generate
        for (i = 0; i < STREAMS; i = i + 1) begin : side
            assign in_ready[i] = out_ready && stream == i;
        end
    endgenerate

    always @(posedge clk)
        if (rst) begin
            stream <= 0;
            count <= 0;
        end else if (move) begin
            count <= last ? {COUNT{1'b0}} : count + 1'b1;
            if (last)
                stream <= stream == STREAMS - 1 ? {INDEX{1'b0}} : stream + 1'b1;
        end
endmodule
