// The one translation unit of a model: Verilator's runtime, the generated model and the C functions Rust
// calls. `model_sources.inc` and `model_ports.inc` are written next to this file for each model.

#include <algorithm>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <memory>
#include <new>
#include <string>

namespace shim {

// Mirrors `State` in `ffi.rs`.
enum State : int32_t { RUNNING = 0, FINISHED = 1, STOPPED = 2, FATAL = 3 };

// Unwinds out of the model: Verilator loops for ever when its fatal hook returns.
struct FatalError {};

// Printed text is kept for Rust, so a model never writes to the caller's stdout. The older half goes once
// the text reaches this size.
constexpr size_t OUTPUT_LIMIT = 1 << 20;

struct Instance;
// The instance that is being evaluated on this thread; Verilator's hooks carry no user pointer.
static thread_local Instance* current = nullptr;

static void print(const char* format, ...) __attribute__((format(printf, 1, 2)));

}  // namespace shim

#define VL_PRINTF shim::print
#define VL_USER_FINISH 1
#define VL_USER_STOP 1
#define VL_USER_FATAL 1

#include "model_sources.inc"
// model_ports.inc: PORTS(X) with X(index, verilog name, member, width, direction) and PORT_COUNT.
#include "model_ports.inc"

namespace shim {

struct Instance {
    std::unique_ptr<VerilatedContext> context;
    std::unique_ptr<Vmodel> model;
#if VM_TRACE_FST
    std::unique_ptr<VerilatedFstC> trace;
#endif
    State state = RUNNING;
    std::string message;
    std::string output;
    size_t output_mark = 0;  // where the text printed by the present call begins

    void ended(State next, const char* file, int line, const char* what) {
        if (next <= state) return;
        const bool reported = state >= STOPPED;
        state = next;
        if (reported) return;  // the first error is the one to report
        // `$fatal`, `$error` and assertions print their text first and then call the hook.
        size_t start = output.rfind("%Fatal: ");
        if (start == std::string::npos || start < output_mark) start = output.rfind("%Error: ");
        if (next == STOPPED && start != std::string::npos && start >= output_mark) {
            message = output.substr(start);
            while (!message.empty() && message.back() == '\n') message.pop_back();
        } else {
            message = (file && *file) ? std::string{file} + ":" + std::to_string(line) + ": " + what : what;
        }
    }
};

static void print(const char* format, ...) {
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    const int length = std::vsnprintf(nullptr, 0, format, args);
    va_end(args);
    if (length > 0 && current) {
        std::string& out = current->output;
        const size_t before = out.size();
        out.resize(before + length + 1);
        std::vsnprintf(&out[before], length + 1, format, again);
        out.resize(before + length);
        if (out.size() > OUTPUT_LIMIT) {
            const size_t dropped = out.size() - OUTPUT_LIMIT / 2;
            out.erase(0, dropped);
            current->output_mark -= std::min(dropped, current->output_mark);
        }
    }
    va_end(again);
}

// Runs `body` with `instance` as the receiver of prints and stops; no exception passes to Rust.
template <typename Body>
static int32_t guarded(Instance* instance, Body body) noexcept {
    Instance* const outer = current;
    current = instance;
    instance->output_mark = instance->output.size();
    try {
        body();
    } catch (const FatalError&) {
    } catch (const std::exception& error) {
        instance->ended(FATAL, nullptr, 0, error.what());
    } catch (...) {
        instance->ended(FATAL, nullptr, 0, "unknown C++ exception");
    }
    current = outer;
    return instance->state;
}

}  // namespace shim

void vl_finish(const char* file, int line, const char*) {
    if (shim::current) shim::current->ended(shim::FINISHED, file, line, "Verilog $finish");
    Verilated::threadContextp()->gotFinish(true);
}

void vl_stop(const char* file, int line, const char*) {
    if (shim::current) shim::current->ended(shim::STOPPED, file, line, "Verilog $stop");
    Verilated::threadContextp()->gotError(true);
}

void vl_fatal(const char* file, int line, const char*, const char* text) {
    if (shim::current) shim::current->ended(shim::FATAL, file, line, text);
    throw shim::FatalError{};
}

// C interface, in the order of the struct `Shim` in `ffi.rs`.
#define SHIM extern "C" __attribute__((visibility("default")))
using shim::Instance;
using shim::guarded;

struct ShimPort {
    const char* name;
    uint32_t width;
    uint32_t direction;  // 0 input, 1 output, 2 inout
    uint32_t bytes;      // sizeof the C++ member
};

SHIM uint32_t shim_abi() noexcept { return 1; }

SHIM uint32_t shim_port_count() noexcept { return PORT_COUNT; }

SHIM int32_t shim_port(uint32_t index, ShimPort* port) noexcept {
    switch (index) {
#define DESCRIBE(index, name, member, width, direction) \
    case index: *port = {name, width, direction, sizeof(Vmodel::member)}; return 1;
        PORTS(DESCRIBE)
#undef DESCRIBE
    default: return 0;
    }
}

SHIM Instance* shim_new() noexcept {
    auto* const instance = new (std::nothrow) Instance;
    if (!instance) return nullptr;
    guarded(instance, [&] {
        instance->context = std::make_unique<VerilatedContext>();
        instance->context->commandArgs(0, static_cast<const char**>(nullptr));  // no plusargs
#if VM_TRACE_FST
        instance->context->traceEverOn(true);  // must come before the first evaluation
#endif
        instance->model = std::make_unique<Vmodel>(instance->context.get(), "");
    });
    if (instance->model) return instance;
    delete instance;
    return nullptr;
}

SHIM void shim_trace_close(Instance* instance) noexcept {
#if VM_TRACE_FST
    guarded(instance, [&] {
        if (instance->trace) instance->trace->close();
        instance->trace.reset();
    });
#else
    (void)instance;
#endif
}

SHIM void shim_delete(Instance* instance) noexcept {
    shim_trace_close(instance);
    guarded(instance, [&] {
        // Destructors look into the thread's present context, which may be that of a model already gone.
        Verilated::threadContextp(instance->context.get());
        instance->model.reset();
    });
    delete instance;
}

SHIM int32_t shim_eval(Instance* instance) noexcept {
    return guarded(instance, [&] { instance->model->eval(); });
}

SHIM int32_t shim_final(Instance* instance) noexcept {
    return guarded(instance, [&] { instance->model->final(); });
}

SHIM void* shim_port_ptr(Instance* instance, uint32_t index) noexcept {
    switch (index) {
#define POINTER(index, name, member, width, direction) \
    case index: return static_cast<void*>(&instance->model->member);
        PORTS(POINTER)
#undef POINTER
    default: return nullptr;
    }
}

SHIM void shim_set_time(Instance* instance, uint64_t time) noexcept { instance->context->time(time); }

SHIM int32_t shim_trace_open(Instance* instance, const char* path) noexcept {
#if VM_TRACE_FST
    guarded(instance, [&] {
        auto trace = std::make_unique<VerilatedFstC>();
        instance->model->trace(trace.get(), 99);
        trace->open(path);
        if (trace->isOpen()) instance->trace = std::move(trace);
    });
    return instance->trace != nullptr;
#else
    (void)instance, (void)path;
    return 0;
#endif
}

SHIM int32_t shim_trace_dump(Instance* instance, uint64_t time) noexcept {
#if VM_TRACE_FST
    return guarded(instance, [&] {
        if (instance->trace) instance->trace->dump(time);
    });
#else
    (void)time;
    return instance->state;
#endif
}

SHIM int32_t shim_coverage_write(Instance* instance, const char* path) noexcept {
#if VM_COVERAGE
    return guarded(instance, [&] { instance->context->coveragep()->write(path); });
#else
    (void)path;
    return instance->state;
#endif
}

SHIM const char* shim_message(Instance* instance, uint64_t* length) noexcept {
    *length = instance->message.size();
    return instance->message.data();
}

SHIM const char* shim_output(Instance* instance, uint64_t* length) noexcept {
    *length = instance->output.size();
    return instance->output.data();
}

SHIM void shim_output_clear(Instance* instance) noexcept {
    instance->output.clear();
    instance->output_mark = 0;
}
