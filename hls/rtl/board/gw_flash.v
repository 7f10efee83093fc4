// Reads regions of an SPI flash over and over, a stream of bytes each: the weights of stages that hold none themselves.
//
// A region has a FIFO of one block memory. Whenever one has room for BURST bytes it gets as many, up to the end of the
// region, and then the next region is asked: no region waits for another's reader. Fast Read Dual Output (3Bh: command,
// address and eight idle bits on io0, then two bits at a time, the higher one on io1), which all flash chips of the boards
// know, and which needs no setting of theirs. The chip is woken first (ABh): an iCE40 sends it to sleep once configured.
//
// A bit lasts 2 * HALF cycles; io0 changes in the middle of it, where sck falls, and inputs are taken at its end, where sck
// falls again: the chip and the board have a whole bit's time. A byte of data takes 8 * HALF cycles, a burst
// 80 * HALF + SELECT more.
module gw_flash #(
    parameter REGIONS = 1,
    parameter HALF = 2,
    parameter [REGIONS*24-1:0] BASE = 0,    // first address of every region, region 0 lowest
    parameter [REGIONS*24-1:0] BYTES = 1,   // their lengths
    parameter BURST = 256,                  // at most the half of a FIFO, which holds 512
    parameter SELECT = 16,                  // cycles between two commands
    parameter WAKE = 5000                   // cycles the chip needs to wake: 50 us at 100 MHz
) (
    input  wire                 clk,
    input  wire                 rst,
    output wire [REGIONS-1:0]   to_valid,
    input  wire [REGIONS-1:0]   to_ready,
    output wire [8*REGIONS-1:0] to_data,
    output reg                  cs_n = 1,
    output reg                  sck = 0,
    output reg                  io0_out = 0,
    output reg                  io0_enable = 1,
    input  wire                 io0_in,
    input  wire                 io1_in
);
    localparam BR = REGIONS > 1 ? $clog2(REGIONS) : 1;
    localparam LIMIT = WAKE > SELECT ? WAKE : SELECT;
    localparam BT = $clog2(LIMIT + 1);
    localparam [2:0] ASLEEP = 0, WAKING = 1, IDLE = 2, SENDING = 3, RECEIVING = 4, PAUSE = 5;

    // ---- regions: where they are, and who has room -------------------------------------------------------------------
    wire [REGIONS-1:0] wants;
    wire [24*REGIONS-1:0] address;
    wire [16*REGIONS-1:0] length;
    reg [BR-1:0] region = 0;
    reg grant = 0;          // the burst of `region` begins
    reg byte_valid = 0;
    reg [7:0] byte_data;

    genvar r;
    generate
        for (r = 0; r < REGIONS; r = r + 1) begin : part
            gw_flash_region #(.BASE(BASE[24*r +: 24]), .BYTES(BYTES[24*r +: 24]), .BURST(BURST)) fifo (
                .clk(clk), .rst(rst), .wants(wants[r]), .address(address[24*r +: 24]), .length(length[16*r +: 16]),
                .grant(grant && region == r), .push(byte_valid && region == r), .push_data(byte_data),
                .valid(to_valid[r]), .ready(to_ready[r]), .data(to_data[8*r +: 8])
            );
        end
    endgenerate

    // ---- bits ----------------------------------------------------------------------------------------------------------
    reg [2:0] state = ASLEEP;
    reg [BT-1:0] timer = WAKE;
    reg [7:0] half = 0;       // cycles of this half of a bit
    reg [39:0] command = 0;   // the next bit on top
    reg [5:0] bits = 0;       // of the command, left
    reg [17:0] pairs = 0;     // of bits to come, left
    reg [7:0] shift = 0;

    wire half_end = half == HALF - 1;
    wire falls = half_end && sck;

    always @(posedge clk) begin
        grant <= 0;
        byte_valid <= 0;
        case (state)
            ASLEEP, PAUSE: begin
                timer <= timer - 1'b1;
                if (timer == 0) begin
                    state <= state == ASLEEP ? WAKING : IDLE;
                    command <= {8'hab, 32'h0};
                    bits <= 7;
                    cs_n <= state != ASLEEP;
                    io0_out <= 1;   // of ABh
                    half <= 0;
                end
            end
            IDLE:
                if (wants[region]) begin
                    grant <= 1;
                    cs_n <= 0;
                    io0_out <= 0;   // of 3Bh
                    io0_enable <= 1;
                    half <= 0;
                    command <= {8'h3b, address[24*region +: 24], 8'h0};
                    bits <= 39;
                    pairs <= {length[16*region +: 16], 2'b00} - 1'b1;
                    state <= SENDING;
                end else
                    region <= region == REGIONS - 1 ? {BR{1'b0}} : region + 1'b1;
            default: begin   // WAKING, SENDING, RECEIVING: sck runs
                half <= half_end ? 8'd0 : half + 1'b1;
                if (half_end)
                    sck <= !sck;
                if (falls && state == RECEIVING) begin
                    shift <= {shift[5:0], io1_in, io0_in};
                    byte_data <= {shift[5:0], io1_in, io0_in};
                    byte_valid <= pairs[1:0] == 0;
                    pairs <= pairs - 1'b1;
                    if (pairs == 0) begin
                        state <= PAUSE;
                        timer <= SELECT;
                        cs_n <= 1;
                    end
                end else if (falls) begin
                    command <= command << 1;
                    io0_out <= command[38];
                    bits <= bits - 1'b1;
                    // The chip drives io0 from here on.
                    if (bits <= 8 && state == SENDING)
                        io0_enable <= 0;
                    if (bits == 0) begin
                        state <= state == WAKING ? PAUSE : RECEIVING;
                        timer <= state == WAKING ? WAKE : SELECT;
                        cs_n <= state == WAKING;
                    end
                end
            end
        endcase
        if (rst) begin
            state <= ASLEEP;
            timer <= WAKE;
            cs_n <= 1;
            sck <= 0;
            io0_enable <= 1;
            region <= 0;
        end
    end
endmodule
