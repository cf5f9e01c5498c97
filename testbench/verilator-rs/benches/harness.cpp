// The plain C++ side of `binding.rs`: the same loop as its `drive`, with the model as a C++ object.
// Prints the CPU seconds and the hash of the outputs. SEED, ROWS and COLS come from the command line.

#include "harness_sources.inc"

#include <cstdio>
#include <cstdlib>
#include <ctime>

static uint64_t state = SEED;

static inline uint32_t next() {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return static_cast<uint32_t>(state >> 16);
}

static double cpu_seconds() {
    timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

int main(int, char** argv) {
    const uint64_t cycles = std::strtoull(argv[1], nullptr, 10);
    VerilatedContext context;
    Vmodel top{&context, ""};
    uint64_t hash = 0xcbf29ce484222325;
    const double start = cpu_seconds();
    for (uint64_t cycle = 0; cycle < cycles; ++cycle) {
        const uint64_t phase = cycle % 64;
        for (int i = 0; i < ROWS / 4; ++i) top.a_in[i] = next();
        for (int i = 0; i < COLS / 4; ++i) top.b_in[i] = next();
        top.en = phase < 48;
        top.clear = phase == 0;
        top.shift = phase >= 48;
        top.clk = 0;
        top.eval();
        top.clk = 1;
        top.eval();
        if (phase >= 48) {
            for (int i = 0; i < COLS; ++i) hash = (hash ^ top.acc_out[i]) * 0x100000001b3;
        }
    }
    const double took = cpu_seconds() - start;
    std::printf("%.9f %016llx\n", took, static_cast<unsigned long long>(hash));
}
