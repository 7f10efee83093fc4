// Runs the self test and prints its LEDs (pass, fail, running) after at most as many cycles as the argument says.
#include "Vtop.h"
#include "verilated.h"
#include <cstdio>
#include <cstdlib>

int main(int, char** argv) {
    Vtop top;
    top.button = 1;
    for (long cycle = std::atol(argv[1]); cycle > 0 && !(cycle < std::atol(argv[1]) - 100 && !top.led_2); --cycle) {
        top.clk_in = 0; top.eval();
        top.clk_in = 1; top.eval();
    }
    std::printf("%d%d%d\n", top.led_0, top.led_1, top.led_2);
}
