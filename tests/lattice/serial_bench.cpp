// A host's serial port at the pins of the simulated board: bytes of stdin go to uart_rx, what uart_tx sends to stdout.
// Argument: clock cycles of a bit. Begins with half a token and a break, which must leave no trace.
#include "Vtop.h"
#include "verilated.h"
#include <cstdlib>
#include <poll.h>
#include <unistd.h>

int main(int, char** argv) {
    const int clocks = std::atoi(argv[1]);
    Vtop top;
    top.button = 1;
    top.uart_rx = 1;
    int out_left = 0, out_count = 0, in_left = 0, in_count = 0;
    unsigned out_bits = 0, in_bits = 0;
    long long cycle = 0;
    for (;; ++cycle) {
        top.clk_in = 0; top.eval();
        top.clk_in = 1; top.eval();
        if (out_left == 0 && cycle > 24 * clocks + 200 && (cycle & 15) == 0) {
            pollfd ready = {0, POLLIN, 0};
            unsigned char byte;
            if (poll(&ready, 1, 0) > 0) {
                if (read(0, &byte, 1) != 1) return 0;
                out_bits = (byte | 0x100u) << 1; out_left = 10; out_count = 0;
            }
        }
        if (cycle == 100) { out_bits = (0x55u | 0x100u) << 1; out_left = 10; out_count = 0; }
        if (cycle > 100 + 11 * clocks && cycle < 100 + 23 * clocks) top.uart_rx = 0;
        else if (out_left == 0) top.uart_rx = 1;
        else {
            top.uart_rx = out_bits & 1;
            if (++out_count == clocks) { out_count = 0; out_bits >>= 1; --out_left; }
        }
        if (in_left == 0) {
            if (!top.uart_tx) { in_left = 10; in_count = clocks / 2; in_bits = 0; }
        } else if (--in_count == 0) {
            in_bits |= static_cast<unsigned>(top.uart_tx) << (10 - in_left);
            in_count = clocks;
            if (--in_left == 0) {
                unsigned char byte = in_bits >> 1;
                if ((in_bits & 1) || !(in_bits & 0x200)) return 2;  // no start or stop bit
                if (write(1, &byte, 1) != 1) return 0;
            }
        }
    }
}
