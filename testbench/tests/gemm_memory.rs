//! Dense products from memory: how close to the array's or the bus's bound, and how well the plan foretells it.

use mattock::{Context, ContextOptions};
use mattock_spec::CardConfig;
use mattock_testbench::layers::{LISTS, Layer, Measured, list, run};
use mattock_testbench::sim::{SimOptions, SimulatorKind, Stalls, open_device};

fn open(latency: u64, stalls: Option<Stalls>) -> Context {
    let cache = concat!(env!("CARGO_TARGET_TMPDIR"), "/verilated");
    let mut options = SimOptions::new(SimulatorKind::Verilator, cache);
    (options.memory.bytes, options.memory.latency, options.memory.stalls) =
        (16 << 20, latency, stalls);
    let config = CardConfig::reference("bench16").unwrap();
    let device = open_device(&config, &options).unwrap_or_else(|e| panic!("{e}"));
    device.context(ContextOptions::default()).unwrap()
}

fn measure(card: &Context, layer: &Layer, latency: u64) -> Measured {
    run(card, layer, latency, 1).unwrap_or_else(|e| panic!("{e}"))
}

#[test]
fn products_keep_their_bound_and_their_plan() {
    let named = |name: &str| {
        let mut layers = LISTS.iter().flat_map(|l| list(l));
        layers.find(|l| l.name == name).unwrap_or_else(|| panic!("no layer {name}"))
    };
    // K in two chunks of its scratchpad, where memory and array are balanced.
    let mut deep = Layer::plain([1, 512, 11008]);
    deep.int4_weights = true;
    for (latency, layers) in [
        (20, vec![Layer::plain([1024, 64, 1024]), named("fc"), named("tiny_out_1")]),
        (100, vec![named("conv5_1x1_in"), named("conv4_1x1_in"), named("conv2_1x1_in"), deep]),
        (200, vec![Layer::plain([512; 3]), named("conv3_1x1_out"), named("tiny_qkv_1")]),
    ] {
        let card = open(latency, None);
        for layer in layers {
            let measured = measure(&card, &layer, latency);
            let at = format!("{} at {latency}: {measured:?}", layer.name);
            assert!(measured.cycles <= measured.allowed, "{at}");
            let errors = measured.errors();
            assert!(errors.iter().all(|e| e.abs() <= 0.03), "{errors:?}: {at}");
        }
    }
}

#[test]
fn stalls_change_no_result() {
    let card = open(100, Some(Stalls { seed: 3, chance: 64 }));
    for shape in [[100, 130, 70], [3, 200, 333], [1, 128, 512]] {
        for int4_weights in [false, true] {
            measure(&card, &Layer { int4_weights, ..Layer::plain(shape) }, 100);
        }
    }
}

#[test]
fn every_list_can_be_read() {
    for name in LISTS {
        assert!(list(name).iter().all(|l| l.shape.iter().all(|x| *x > 0)), "{name}");
    }
}
