//! Waveforms, read back by an outside library.

use rtl_gen::sim::{TraceFormat, TraceOptions, TraceSignals};
use rtl_gen::{Builder, Design, Interpreter, Module, cat, uint};
use wellen::SignalValueRef;

#[derive(Debug)]
struct Counter;

impl Module for Counter {
    fn name(&self) -> String {
        "counter".into()
    }
    fn build(&self, m: &Builder) {
        let count = m.state("count", uint(8), 0);
        count.drive(count.q().add_wrap(m.input("step", uint(8))));
        m.output("value", count.q());
    }
}

#[derive(Debug)]
struct Top;

impl Module for Top {
    fn name(&self) -> String {
        "top".into()
    }
    fn build(&self, m: &Builder) {
        let step = m.input("step", uint(8));
        let [a, b] = ["a", "b"].map(|n| m.inst(n, &Counter).set("step", step).get("value"));
        // Wider than a machine word.
        m.output("all", cat(&[a.zext(60).as_bits(), b.zext(60).as_bits()]).named("both"));
    }
}

fn record(format: TraceFormat, signals: TraceSignals) -> tempfile::NamedTempFile {
    let mut sim = Interpreter::new(&Design::elaborate(&Top).unwrap()).unwrap();
    sim.set("rst", 1);
    sim.set("step", 0);
    sim.tick();
    sim.set("rst", 0);
    let file = tempfile::NamedTempFile::new().unwrap();
    sim.trace(file.path(), TraceOptions { signals, format }).unwrap();
    for step in [3, 5, 7] {
        sim.set("step", step);
        sim.tick();
    }
    sim.trace_finish().unwrap();
    file
}

#[test]
fn traces_read_back() {
    for format in [TraceFormat::Vcd, TraceFormat::Fst] {
        let file = record(format, TraceSignals::All);
        let mut wave = wellen::simple::read(file.path()).unwrap();
        let find = |wave: &wellen::simple::Waveform, path: &[&str], name: &str| {
            let h = wave.hierarchy();
            let var =
                h.lookup_var(path, name).unwrap_or_else(|| panic!("{format:?}: {path:?} {name}"));
            h[var].signal_ref()
        };
        let count = find(&wave, &["top", "b"], "count");
        let both = find(&wave, &["top"], "both");
        let clock = find(&wave, &["top"], "clk");
        wave.load_signals(&[count, both, clock]);
        let changes = |signal| -> Vec<(u64, String)> {
            let times = wave.time_table();
            let signal = wave.get_signal(signal).unwrap();
            let text = |v: SignalValueRef<'_>| v.to_bit_string().unwrap();
            let all = signal.iter_changes().map(|(t, v)| (times[t as usize], text(v)));
            // FST readers put an unknown value in front of the first one.
            all.filter(|(_, v)| !v.contains('x')).collect()
        };
        let number = |text: &str| u128::from_str_radix(text, 2).unwrap();
        let counts: Vec<_> = changes(count).iter().map(|(t, v)| (*t, number(v))).collect();
        // One edge came before the trace.
        assert_eq!(counts, [(10, 0), (15, 3), (25, 8), (35, 15)], "{format:?}");
        assert_eq!(number(&changes(both)[3].1), 15 << 60 | 15, "{format:?}");
        let clocks: Vec<_> = changes(clock).into_iter().map(|(t, v)| format!("{t}:{v}")).collect();
        assert_eq!(clocks, ["10:0", "15:1", "20:0", "25:1", "30:0", "35:1"], "{format:?}");
    }
}

#[test]
fn only_what_was_asked_for() {
    let named = TraceSignals::Named(vec!["a".into(), "b/count".into()]);
    let file = record(TraceFormat::Vcd, named);
    let text = std::fs::read_to_string(file.path()).unwrap();
    let mut vars: Vec<&str> = text
        .lines()
        .filter(|l| l.starts_with("$var"))
        .filter_map(|l| l.split(' ').nth(4))
        .collect();
    vars.sort_unstable();
    assert_eq!(vars, ["count", "count", "step", "value"]);
}

#[test]
fn mistakes_are_reported() {
    let mut sim = Interpreter::new(&Design::elaborate(&Top).unwrap()).unwrap();
    let named = |name: &str| TraceOptions {
        signals: TraceSignals::Named(vec![name.into()]),
        format: TraceFormat::Vcd,
    };
    let file = tempfile::NamedTempFile::new().unwrap();
    let error = sim.trace(file.path(), named("a/nothing")).unwrap_err();
    assert_eq!(error.to_string(), "no signal or instance `a/nothing` to trace");
    let error = sim.trace("/nowhere/at/all.vcd", named("a")).unwrap_err();
    assert_eq!(error.to_string(), "writing the trace /nowhere/at/all.vcd");
}
