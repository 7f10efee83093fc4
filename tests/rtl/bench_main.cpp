// Clock and reset of the benches: runs until the top module says that all have finished, or 200000 cycles.
#include <cstdio>
#include "Vbenches.h"
#include "verilated.h"

int main() {
    VerilatedContext context;
    Vbenches top(&context);
    for (int cycle = 0; cycle < 200000 && !top.finished; ++cycle) {
        top.rst = cycle < 8;
        for (int clk = 0; clk < 2; ++clk) {
            top.clk = clk;
            top.eval();
            context.timeInc(1);
        }
    }
    top.final();
}
