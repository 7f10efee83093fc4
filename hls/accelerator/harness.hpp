// Drives the Verilated module `accelerator` with a program and a DRAM: memories that answer in order, a fixed number of
// cycles after a request, one word a cycle a port; with `stall` > 0 they refuse and delay at random. Included once, behind
// Vaccelerator.h.
//
// Cycle 0 is the first one with reset released. A cycle: inputs, settle with clk low, read the outputs, raise clk.

#include <cstdint>
#include <cstring>
#include <deque>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace gatewright {

enum Status { kHalted, kFault, kTooLong, kAddress, kStopped };

constexpr int kResetCycles = 4;
constexpr std::size_t kWordBytes = sizeof(Vaccelerator::read_data);

struct Job {
    const uint8_t* program;
    int64_t program_bytes;
    uint8_t* dram;
    int64_t dram_bytes;
    int64_t latency_cycles;
    double stall;            // probability, each cycle and port, that a request is refused, that a response comes later
    uint64_t seed;
    int64_t limit_cycles;
    int64_t* events;         // cycle * 16 + kind * 4 + unit, kind 0: handed out, 1: start, 2: done
    int64_t capacity;
    int64_t count;
    int64_t cycles;          // in which `halted` is first seen
};

class Random {
  public:
    explicit Random(uint64_t seed) : state_((seed + 1) * 0x9E3779B97F4A7C15u) {}
    bool chance(double probability) {
        if (probability <= 0) return false;
        state_ ^= state_ >> 12;
        state_ ^= state_ << 25;
        state_ ^= state_ >> 27;
        return ((state_ * 0x2545F4914F6CDD1Du) >> 32) < probability * 4294967296.0;
    }

  private:
    uint64_t state_;
};

struct Word {
    uint8_t bytes[kWordBytes];
};

// One port: requests taken, in flight until their cycle.
struct Port {
    std::deque<std::pair<int64_t, Word>> flight;
    Word now{};
    bool ready = false, answers = false;

    void offer(const Job& job, int64_t cycle, Random& random) {
        ready = !random.chance(job.stall);
        answers = !flight.empty() && flight.front().first <= cycle && !random.chance(job.stall);
        if (!answers) return;
        now = flight.front().second;
        flight.pop_front();
    }
    void take(const Job& job, int64_t cycle, const Word& word) { flight.emplace_back(cycle + job.latency_cycles, word); }
};

inline bool inside(uint32_t address, int64_t bytes) { return int64_t(address) + int64_t(kWordBytes) <= bytes; }

int run(Job& job) {
    VerilatedContext context;
    context.randReset(2);
    context.randSeed(static_cast<int>(job.seed % 0x7FFFFFFF) + 1);
    Vaccelerator top{&context};
    Random random(job.seed);
    Port fetch, read, write;

    auto tick = [&] {
        top.clk = 1;
        top.eval();
        top.clk = 0;
    };
    top.clk = 0;
    top.rst = 1;
    top.fetch_ready = top.read_ready = top.write_ready = 0;
    top.fetch_response = top.read_response = top.write_response = 0;
    for (int i = 0; i < kResetCycles; ++i) {
        top.eval();
        tick();
    }
    top.rst = 0;
    auto note = [&](int64_t cycle, int kind, unsigned units) {
        for (int unit = 0; unit < 4; ++unit)
            if (units >> unit & 1 && job.count < job.capacity) job.events[job.count++] = cycle * 16 + kind * 4 + unit;
    };
    for (int64_t cycle = 0;; ++cycle) {
        job.cycles = cycle;
        if (cycle > job.limit_cycles) return kTooLong;
        fetch.offer(job, cycle, random);
        read.offer(job, cycle, random);
        write.offer(job, cycle, random);
        top.fetch_ready = fetch.ready;
        top.read_ready = read.ready;
        top.write_ready = write.ready;
        top.fetch_response = fetch.answers;
        top.read_response = read.answers;
        top.write_response = write.answers;
        std::memcpy(&top.fetch_data, &fetch.now, kWordBytes);
        std::memcpy(&top.read_data, &read.now, kWordBytes);
        top.eval();
        if (top.halted) return top.fault ? kFault : kHalted;
        Word word{};
        if (top.fetch_valid && fetch.ready) {
            if (inside(top.fetch_address, job.program_bytes))
                std::memcpy(&word, job.program + top.fetch_address, kWordBytes);
            fetch.take(job, cycle, word);
        }
        if (top.read_valid && read.ready) {
            if (!inside(top.read_address, job.dram_bytes)) return kAddress;
            std::memcpy(&word, job.dram + top.read_address, kWordBytes);
            read.take(job, cycle, word);
        }
        if (top.write_valid && write.ready) {
            if (!inside(top.write_address, job.dram_bytes)) return kAddress;
            std::memcpy(job.dram + top.write_address, &top.write_data, kWordBytes);
            write.take(job, cycle, word);
        }
        if (top.hand_out) note(cycle, 0, top.hand_out);
        if (top.start) note(cycle, 1, top.start);
        if (top.done) note(cycle, 2, top.done);
        tick();
    }
}

}  // namespace gatewright

// Verilated code stops by these; there is nothing in the design that does.
void vl_fatal(const char* file, int line, const char*, const char* text) VL_MT_UNSAFE {
    throw std::runtime_error(std::string(file) + ":" + std::to_string(line) + ": " + text);
}
void vl_warn(const char*, int, const char*, const char*) VL_MT_UNSAFE {}
void vl_stop(const char* file, int line, const char*) VL_MT_UNSAFE { vl_fatal(file, line, "", "stopped"); }
void vl_finish(const char* file, int line, const char* scope) VL_MT_UNSAFE { vl_stop(file, line, scope); }

extern "C" __attribute__((visibility("default"))) int gatewright_run(gatewright::Job* job) {
    try {
        return gatewright::run(*job);
    } catch (const std::exception&) {
        return gatewright::kStopped;
    }
}
