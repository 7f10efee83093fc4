// A host's serial port at the pins of a simulated board (module `top`): sends bytes, then waits for so many.

#include <cstdint>
#include <stdexcept>

struct Bench {
    VerilatedContext context;
    Vtop top{&context};
    int clocks;
    explicit Bench(int clocks) : clocks(clocks) {
        top.button = 1;
        hold(1, 100);
        hold(0, 12 * clocks);  // a break
        hold(1, 100);
    }
    void tick() {
        top.clk_in = 0;
        top.eval();
        top.clk_in = 1;
        top.eval();
    }
    void hold(int level, int cycles) {
        top.uart_rx = level;
        while (cycles-- > 0) tick();
    }
};

void vl_fatal(const char*, int, const char*, const char* text) { throw std::runtime_error(text); }
void vl_warn(const char*, int, const char*, const char*) {}
void vl_stop(const char*, int, const char*) { throw std::runtime_error("stopped"); }
void vl_finish(const char*, int, const char*) { throw std::runtime_error("finished"); }

#define BENCH extern "C" __attribute__((visibility("default")))

BENCH void* bench_open(int clocks) { return new Bench(clocks); }
BENCH void bench_close(void* bench) { delete static_cast<Bench*>(bench); }
BENCH void bench_send(void* bench, const uint8_t* bytes, int64_t count) {
    auto& b = *static_cast<Bench*>(bench);
    for (int64_t i = 0; i < count; ++i)
        for (int bit = 0, frame = (bytes[i] | 0x100) << 1; bit < 10; ++bit) b.hold(frame >> bit & 1, b.clocks);
}
// The number of bytes that came within `limit` cycles of each other.
BENCH int64_t bench_receive(void* bench, uint8_t* bytes, int64_t count, int64_t limit) {
    auto& b = *static_cast<Bench*>(bench);
    for (int64_t i = 0; i < count; ++i) {
        int64_t quiet = 0;
        while (b.top.uart_tx)
            if (++quiet > limit) return i;
            else b.tick();
        b.hold(1, b.clocks / 2);
        int frame = 0;
        for (int bit = 0; bit < 10; ++bit, b.hold(1, bit < 10 ? b.clocks : 0)) frame |= b.top.uart_tx << bit;
        bytes[i] = frame >> 1;
    }
    return count;
}
