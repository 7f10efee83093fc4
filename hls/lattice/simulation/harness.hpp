// Drives the Verilated design `network`: feeds whole frames into its input streams, takes them from its output streams,
// and checks that every stream keeps the protocol. Included once, by the file the build writes, after these:
//
//   Vnetwork.h   what Verilator makes of the design
//   ports.h      GATEWRIGHT_INPUTS(X), GATEWRIGHT_OUTPUTS(X): X(port, bits, lanes, is_signed, tokens a frame)
//                GATEWRIGHT_WEIGHTS(X): X(port, bits, lanes, is_signed, tokens a frame, tokens after which they repeat,
//                whether they come once)
//
// A cycle is: choose what sources offer and which sinks are ready, settle with clk low, read, raise clk. Cycle 0 ends
// with the first rising edge after reset is released.

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#if VM_TRACE
#include "verilated_vcd_c.h"
#endif

namespace gatewright {

constexpr int kResetCycles = 8;
constexpr int64_t kQuietCycles = 128;  // after the last token: whatever comes now is surplus

enum Status { kRunning, kFinished, kFailed, kDeadlock, kFell, kChanged, kWaitsForReady, kSurplus };

using Words = std::vector<uint32_t>;

thread_local std::string memories;  // the folder $readmemh looks in, with a slash at the end

// -- the wires: Verilator uses C types of 8 to 64 bits, and arrays of 32 bit words beyond ----------------------------

template <class Wire>
void put(Wire& wire, const Words& words) {
    uint64_t value = words[0];
    if (words.size() > 1) value |= uint64_t(words[1]) << 32;
    wire = static_cast<Wire>(value);
}
template <std::size_t N>
void put(VlWide<N>& wire, const Words& words) {
    for (std::size_t i = 0; i < N; ++i) wire[i] = words[i];
}
template <class Wire>
void get(const Wire& wire, Words& words) {
    words[0] = static_cast<uint32_t>(wire);
    if (words.size() > 1) words[1] = static_cast<uint32_t>(static_cast<uint64_t>(wire) >> 32);
}
template <std::size_t N>
void get(const VlWide<N>& wire, Words& words) {
    for (std::size_t i = 0; i < N; ++i) words[i] = wire[i];
}

// -- streams ---------------------------------------------------------------------------------------------------------

// xorshift64*: one a stream, so that streams stall independently of each other.
class Random {
  public:
    Random(uint64_t seed, uint64_t stream) : state_((seed + 1) * 0x9E3779B97F4A7C15u ^ (stream + 1) * 0xBF58476D1CE4E5B9u) {
        if (state_ == 0) state_ = 1;
        for (int i = 0; i < 8; ++i) next();
    }
    uint32_t next() {
        state_ ^= state_ >> 12;
        state_ ^= state_ << 25;
        state_ ^= state_ >> 27;
        return static_cast<uint32_t>((state_ * 0x2545F4914F6CDD1Du) >> 32);
    }
    bool chance(double probability) { return probability >= 1.0 || next() < probability * 4294967296.0; }

  private:
    uint64_t state_;
};

struct Format {
    int bits, lanes;
    bool is_signed;
    int64_t tokens;  // a frame
    std::size_t words() const { return (static_cast<std::size_t>(bits) * lanes + 31) / 32; }
    uint32_t mask() const { return bits == 32 ? ~0u : (1u << bits) - 1; }

    void pack(const int32_t* elements, Words& token) const {
        std::fill(token.begin(), token.end(), 0);
        for (int lane = 0, at = 0; lane < lanes; ++lane, at += bits) {
            const uint64_t element = uint64_t(static_cast<uint32_t>(elements[lane]) & mask()) << at % 32;
            token[at / 32] |= static_cast<uint32_t>(element);
            if (at % 32 + bits > 32) token[at / 32 + 1] |= static_cast<uint32_t>(element >> 32);
        }
    }
    void unpack(const Words& token, int32_t* elements) const {
        for (int lane = 0, at = 0; lane < lanes; ++lane, at += bits) {
            uint64_t pair = token[at / 32];
            if (at % 32 + bits > 32) pair |= uint64_t(token[at / 32 + 1]) << 32;
            uint32_t element = static_cast<uint32_t>(pair >> at % 32) & mask();
            if (is_signed && element >> (bits - 1)) element |= ~mask();
            elements[lane] = static_cast<int32_t>(element);
        }
    }
};

struct Source {
    Format format;
    void (*drive)(Vnetwork&, bool valid, const Words&);
    bool (*accepts)(const Vnetwork&);
    Random random;
    const int32_t* elements;
    int64_t repeats;  // tokens after which they begin again
    int64_t total;
    bool weights;
    int64_t moved = 0;
    bool valid = false;
    Words token = Words(format.words());
};

struct Sink {
    Format format;
    void (*set_ready)(Vnetwork&, bool);
    bool (*observe)(const Vnetwork&, Words&);  // valid; the token goes into Words
    Random random;
    int32_t* elements;
    int64_t total;
    int64_t moved = 0;
    bool ready = false, valid = false, taken = false;
    bool early = false;  // valid, and the token, as they were before ready was known
    Words token = Words(format.words()), before = token, early_token = token;
};

// -- one run ---------------------------------------------------------------------------------------------------------

struct Job {  // mirrored by running.py
    const char* memories;
    const char* trace;  // a file, or null
    const int32_t* const* inputs;
    int32_t* const* outputs;
    int64_t* entered;   // (frames): cycle in which the frame's first token entered
    int64_t* finished;  // (frames): cycle in which the frame's last token left
    int64_t frames;
    int64_t idle_cycles;  // so long without a token is a deadlock
    double source_probability, sink_probability;
    uint64_t seed;  // 0: registers without reset start at zero
};

class Run {
  public:
    explicit Run(const Job& job) : job_(job) {
        memories = job.memories;
        context_.randReset(job.seed ? 2 : 0);
        context_.randSeed(static_cast<int>(job.seed % 0x7fffffff) + 1);
        context_.traceEverOn(job.trace != nullptr);
        network_ = std::make_unique<Vnetwork>(&context_);
        for (int64_t frame = 0; frame < job.frames; ++frame) job.entered[frame] = job.finished[frame] = -1;
        add_streams();
#if VM_TRACE
        if (job.trace) {
            network_->trace(&trace_, 99);
            trace_.open(job.trace);
            if (!trace_.isOpen()) throw std::runtime_error(std::string("cannot write ") + job.trace);
        }
#endif
        network_->rst = 1;
        for (auto& source : sources) source.drive(*network_, false, source.token);
        for (auto& sink : sinks) sink.set_ready(*network_, false);
        for (int i = 0; i < kResetCycles; ++i) {
            settle();
            clock();
        }
        network_->rst = 0;
    }
    ~Run() {
        network_->final();
#if VM_TRACE
        if (job_.trace) trace_.close();
#endif
    }

    int advance(int64_t cycles) {
        for (int64_t i = 0; i < cycles && status == kRunning; ++i) run_cycle();
        return status;
    }

    int status = kRunning;
    int64_t cycle = 0, idle = 0;
    int at_fault = -1;  // index of a sink
    std::string message;
    std::vector<Source> sources;
    std::vector<Sink> sinks;

  private:
    void add_streams() {
        [[maybe_unused]] uint64_t stream = 0;
#define GATEWRIGHT_INPUT(PORT, BITS, LANES, IS_SIGNED, TOKENS)                                                        \
    GATEWRIGHT_SOURCE(PORT, BITS, LANES, IS_SIGNED, TOKENS, job_.frames* TOKENS, job_.frames* TOKENS, false)
#define GATEWRIGHT_WEIGHT(PORT, BITS, LANES, IS_SIGNED, TOKENS, REPEATS, ONCE)                                        \
    GATEWRIGHT_SOURCE(PORT, BITS, LANES, IS_SIGNED, TOKENS, REPEATS, ONCE ? REPEATS : job_.frames * TOKENS, true)
#define GATEWRIGHT_SOURCE(PORT, BITS, LANES, IS_SIGNED, TOKENS, REPEATS, TOTAL, WEIGHTS)                              \
    sources.push_back(Source{Format{BITS, LANES, IS_SIGNED, TOKENS},                                                  \
                             [](Vnetwork& n, bool valid, const Words& token) {                                        \
                                 n.PORT##_valid = valid;                                                              \
                                 put(n.PORT##_data, token);                                                           \
                             },                                                                                       \
                             [](const Vnetwork& n) { return n.PORT##_ready != 0; }, Random(job_.seed, stream++),      \
                             job_.inputs[sources.size()], REPEATS, TOTAL, WEIGHTS});
#define GATEWRIGHT_SINK(PORT, BITS, LANES, IS_SIGNED, TOKENS)                                                         \
    sinks.push_back(Sink{Format{BITS, LANES, IS_SIGNED, TOKENS},                                                      \
                         [](Vnetwork& n, bool ready) { n.PORT##_ready = ready; },                                     \
                         [](const Vnetwork& n, Words& token) {                                                        \
                             get(n.PORT##_data, token);                                                               \
                             return n.PORT##_valid != 0;                                                              \
                         },                                                                                           \
                         Random(job_.seed, stream++), job_.outputs[sinks.size()], job_.frames * TOKENS});
        GATEWRIGHT_INPUTS(GATEWRIGHT_INPUT)
        GATEWRIGHT_WEIGHTS(GATEWRIGHT_WEIGHT)
        GATEWRIGHT_OUTPUTS(GATEWRIGHT_SINK)
    }

    void run_cycle() {
        offer();
        bool moved = false;
        if (job_.sink_probability < 1.0) look_before_ready();
        for (auto& sink : sinks) {
            sink.ready = sink.random.chance(job_.sink_probability);
            sink.set_ready(*network_, sink.ready);
        }
        settle();
        for (auto& sink : sinks) {
            if (!check(sink)) {
                at_fault = static_cast<int>(&sink - sinks.data());
                return;
            }
            moved |= take(sink);
        }
        for (auto& source : sources) moved |= give(source);
        clock();
        ++cycle;
        idle = moved ? 0 : idle + 1;
        if (complete()) {
            if (idle >= kQuietCycles) status = kFinished;
        } else if (idle >= job_.idle_cycles) {
            status = kDeadlock;
        }
    }

    // A source that offers keeps on until accepted. The wires of one that does not may hold anything.
    void offer() {
        for (auto& source : sources) {
            if (!source.valid) {
                source.valid = source.moved < source.total && source.random.chance(job_.source_probability);
                if (source.valid) {
                    source.format.pack(source.elements + source.moved % source.repeats * source.format.lanes, source.token);
                } else if (job_.seed) {
                    std::vector<int32_t> noise(source.format.lanes);
                    for (auto& element : noise) element = static_cast<int32_t>(source.random.next());
                    source.format.pack(noise.data(), source.token);
                }
            }
            source.drive(*network_, source.valid, source.token);
        }
    }

    // What the outputs offer must not depend on ready: asked with every sink stalled, then compared.
    void look_before_ready() {
        for (auto& sink : sinks) sink.set_ready(*network_, false);
        network_->clk = 0;
        network_->eval();
        for (auto& sink : sinks) sink.early = sink.observe(*network_, sink.early_token);
    }

    bool check(Sink& sink) {
        const bool held = sink.valid && !sink.taken;
        sink.before.swap(sink.token);
        sink.valid = sink.observe(*network_, sink.token);
        if (held && !sink.valid) {
            status = kFell;
        } else if (held && sink.token != sink.before) {
            status = kChanged;
        } else if (job_.sink_probability < 1.0 &&
                   (sink.valid != sink.early || (sink.valid && sink.token != sink.early_token))) {
            status = kWaitsForReady;
        } else if (sink.valid && sink.moved == sink.total) {
            status = kSurplus;
        }
        return status == kRunning;
    }

    bool take(Sink& sink) {
        sink.taken = sink.valid && sink.ready;
        if (!sink.taken) return false;
        sink.format.unpack(sink.token, sink.elements + sink.moved * sink.format.lanes);
        if (++sink.moved % sink.format.tokens == 0) {
            int64_t& finished = job_.finished[sink.moved / sink.format.tokens - 1];
            finished = cycle > finished ? cycle : finished;
        }
        return true;
    }

    bool give(Source& source) {
        if (!source.valid || !source.accepts(*network_)) return false;
        if (!source.weights && source.moved % source.format.tokens == 0) {
            int64_t& entered = job_.entered[source.moved / source.format.tokens];
            entered = entered < 0 ? cycle : entered;
        }
        ++source.moved;
        source.valid = false;
        return true;
    }

    bool complete() const {
        for (const auto& source : sources)
            if (source.moved < source.total) return false;
        for (const auto& sink : sinks)
            if (sink.moved < sink.total) return false;
        return true;
    }

    void settle() {
        network_->clk = 0;
        network_->eval();
        dump();
    }
    void clock() {
        network_->clk = 1;
        network_->eval();
        dump();
    }
    void dump() {
#if VM_TRACE
        if (job_.trace) trace_.dump(context_.time());
#endif
        context_.timeInc(1);
    }

    Job job_;
    VerilatedContext context_;
    std::unique_ptr<Vnetwork> network_;
#if VM_TRACE
    VerilatedVcdC trace_;
#endif
};

std::string place(const char* file, int line) { return std::string(file) + ":" + std::to_string(line) + ": "; }

}  // namespace gatewright

// -- what Verilator's library calls: errors reach Python instead of ending the process -------------------------------

void vl_fatal(const char* file, int line, const char*, const char* text) {
    throw std::runtime_error(gatewright::place(file, line) + text);
}
void vl_warn(const char* file, int line, const char*, const char* text) {
    throw std::runtime_error(gatewright::place(file, line) + text);
}
void vl_stop(const char* file, int line, const char*) {
    throw std::runtime_error(gatewright::place(file, line) + "the design stopped the simulation");
}
void vl_finish(const char* file, int line, const char* scope) { vl_stop(file, line, scope); }

// The linker sends fopen here: memories lie beside the design wherever its folder is now, not in the current folder.
extern "C" std::FILE* __real_fopen(const char* name, const char* mode);
extern "C" std::FILE* __wrap_fopen(const char* name, const char* mode) {
    const bool relative = name[0] != '/' && mode[0] == 'r';
    return __real_fopen((relative ? gatewright::memories + name : std::string(name)).c_str(), mode);
}

// -- the C interface -------------------------------------------------------------------------------------------------

#define GATEWRIGHT_API extern "C" __attribute__((visibility("default")))

// Null when the design does not start; the reason is in `message`.
GATEWRIGHT_API void* gatewright_open(const gatewright::Job* job, char* message, int64_t size) {
    try {
        return new gatewright::Run(*job);
    } catch (const std::exception& error) {
        std::snprintf(message, static_cast<std::size_t>(size), "%s", error.what());
        return nullptr;
    }
}

// At most so many cycles on; a Status.
GATEWRIGHT_API int gatewright_advance(void* handle, int64_t cycles) {
    auto& run = *static_cast<gatewright::Run*>(handle);
    try {
        return run.advance(cycles);
    } catch (const std::exception& error) {
        run.message = error.what();
        return run.status = gatewright::kFailed;
    }
}

// state: cycle, cycles without a token, the sink at fault; then of every source and sink: tokens moved.
GATEWRIGHT_API const char* gatewright_state(const void* handle, int64_t* state) {
    const auto& run = *static_cast<const gatewright::Run*>(handle);
    *state++ = run.cycle;
    *state++ = run.idle;
    *state++ = run.at_fault;
    for (const auto& source : run.sources) *state++ = source.moved;
    for (const auto& sink : run.sinks) *state++ = sink.moved;
    return run.message.c_str();
}

GATEWRIGHT_API void gatewright_close(void* handle) { delete static_cast<gatewright::Run*>(handle); }
