//! Dense products of real networks, run from memory and held against their plan.

use crate::reference::{self, Layout, pack_i4};
use mattock::plan::{Memory, Plan};
use mattock::{Context, DynView, DynViewMut, Error, GemmOptions, GemmStats, Order};
use mattock_spec::Format;
use rand::{Rng, SeedableRng, rngs::StdRng};
use std::path::PathBuf;

/// The committed lists.
pub const LISTS: [&str; 2] = ["resnet50", "llama"];

/// A product of a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// Name in the list.
    pub name: String,
    /// M, N, K.
    pub shape: [usize; 3],
    /// B is 4-bit; otherwise 8-bit, as A.
    pub int4_weights: bool,
}

impl Layer {
    /// A product of 8-bit operands that is in no list.
    pub fn plain(shape: [usize; 3]) -> Layer {
        let name = shape.map(|x| x.to_string()).join("x");
        Layer { name, shape, int4_weights: false }
    }
}

/// The layers of a list of [`LISTS`].
///
/// # Panics
/// When a committed file is not what its README says.
pub fn list(name: &str) -> Vec<Layer> {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/data/layers"));
    let path = folder.join(format!("{name}.csv"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let lines = text.lines().skip(1);
    let layer = |line: &str| {
        let mut cells = line.split(',');
        let name = cells.next()?.to_owned();
        let mut number = || cells.next()?.parse().ok();
        let shape = [number()?, number()?, number()?];
        Some(Layer { name, shape, int4_weights: line.contains("i8,i4,") })
    };
    lines.map(|line| layer(line).unwrap_or_else(|| panic!("{}: {line}", path.display()))).collect()
}

/// A layer that was run from memory.
#[derive(Clone, Copy, Debug)]
pub struct Measured {
    /// The driver's plan, for the memory it was run with.
    pub plan: Plan,
    /// From the start of the command to the last write response.
    pub cycles: u64,
    /// Data beats times the bus, both ways.
    pub bytes: u64,
    /// `1.03 * max(compute, bytes / bus) + 4 * latency`.
    pub allowed: u64,
}

impl Measured {
    /// Predicted over measured cycles and bytes, less one.
    pub fn errors(&self) -> [f64; 2] {
        let off = |predicted: u64, measured: u64| predicted as f64 / measured.max(1) as f64 - 1.0;
        [off(self.plan.cycles, self.cycles), off(self.plan.bytes, self.bytes)]
    }
}

/// Multiplies random operands of a layer's shape, weights k together, and compares every element.
///
/// # Errors
/// The driver's, or the number of wrong elements, in words.
///
/// # Panics
/// When the card has no dense engine.
pub fn run(card: &Context, layer: &Layer, latency: u64, seed: u64) -> Result<Measured, String> {
    let [m, n, k] = layer.shape;
    let failed = |e: &dyn std::fmt::Display| format!("{}: {e}", layer.name);
    let mut rng = StdRng::seed_from_u64(seed);
    let weight = if layer.int4_weights { 8 } else { 128 };
    let a: Vec<i8> = (0..m * k).map(|_| rng.random()).collect();
    let ld = k.next_multiple_of(2);
    let b: Vec<i8> = (0..n * ld).map(|_| rng.random_range(-weight..weight) as i8).collect();
    let packed = if layer.int4_weights { pack_i4(&b).map_err(|e| failed(&e))? } else { vec![] };
    let bytes = |values: &[i8]| values.iter().map(|v| *v as u8).collect::<Vec<u8>>();
    let (a_bytes, b_bytes) = (bytes(&a), if layer.int4_weights { packed } else { bytes(&b) });
    let b_format = if layer.int4_weights { Format::I4 } else { Format::I8 };
    let bus_bytes = card.capabilities().bus_bytes;
    let memory = Memory { latency, ..Memory::new(bus_bytes) };
    let mut d = vec![0u8; 4 * m * n];
    let mut multiply = || -> Result<(Plan, GemmStats), Error> {
        let left = DynView::new(&a_bytes, Order::Row, m, k, k, Format::I8)?;
        let right = DynView::new(&b_bytes, Order::Column, k, n, ld, b_format)?;
        let mut to = DynViewMut::new(&mut d, Order::Row, m, n, n, Format::I32)?;
        let options = GemmOptions::default();
        let plan = card.plan_gemm(&options, left, right, to.reborrow(), &memory)?;
        Ok((plan, card.gemm_dyn(&options, 1.into(), left, right, 0.into(), to)?.wait()?))
    };
    let (plan, stats) = multiply().map_err(|e| failed(&e))?;
    let d: Vec<i32> =
        d.chunks_exact(4).map(|b| i32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
    let mut expected = vec![0; m * n];
    let b_lies = Layout { row_stride: 1, col_stride: ld, ..Layout::row_major(k, n) };
    let (left, result) = ((&a[..], Layout::row_major(m, k)), Layout::row_major(m, n));
    reference::gemm(left, (&b[..], b_lies), (&mut expected, result)).map_err(|e| failed(&e))?;
    let wrong = expected.iter().zip(&d).filter(|(want, got)| want != got).count();
    if wrong > 0 || d.len() != expected.len() {
        return Err(failed(&format!("{wrong} elements are wrong")));
    }
    let caps = card.capabilities().gemm.expect("a dense engine");
    let bytes = stats.bytes_read + stats.bytes_written;
    let compute = plan.tiles * plan.tile_cycles + u64::from(caps.rows + caps.cols) + 16;
    let floor = compute.max(bytes / u64::from(bus_bytes));
    let allowed = floor * 103 / 100 + 4 * latency;
    Ok(Measured { plan, cycles: stats.cycles, bytes, allowed })
}
