    function [63:0] mix(input [63:0] seed, input [63:0] index);
        reg [63:0] a;
        reg [63:0] b;
        begin
            a = (index + seed * 64'h10001 + 1) * 64'h9E3779B97F4A7C15;
            b = (a ^ (a >> 30)) * 64'hBF58476D1CE4E5B9;
            mix = b ^ (b >> 27);
        end
    endfunction
