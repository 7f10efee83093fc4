// Reset after configuration and on request: `rst` stays 1 for 2**ADDRESS cycles after the last cycle of `request`.
module gw_reset #(
    parameter ADDRESS = 5
) (
    input  wire clk,
    input  wire request,   // from anywhere, also from another clock
    output wire rst
);
    reg [1:0] seen = 0;
    reg [ADDRESS:0] count = 0;

    assign rst = !count[ADDRESS];

    always @(posedge clk) begin
        seen <= {seen[0], request};
        if (seen[1])
            count <= 0;
        else if (rst)
            count <= count + 1'b1;
    end
endmodule
