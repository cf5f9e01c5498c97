//! A card opened through the driver, and the calls our commands make on it.

use clap::ValueEnum;
use mattock::plan::{self, Plan};
use mattock::sparse::{Mask, SparseValue, SpgemmOptions};
use mattock::{Context, ContextOptions, Csr, Device, DynView, DynViewMut, GemmOptions, Scalar};
use mattock_spec::{Format, Rounding, Tuple, Value};
use mattock_testbench::sim::ThreadedCard;

use crate::card::Chosen;
use crate::epilogue::Both;
use crate::error::Failure;
use crate::gemm::Traced;
use crate::output::Output;
use crate::progress::Progress;
use crate::simulation::{MemoryArgs, SimulatorKind, start, start_traced};

/// How a matrix lies in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Order {
    /// Row after row
    Row,
    /// Column after column
    Column,
}

/// A dense product; `a` and `b` hold the values (of floats: the codes) row after row, whatever order they shall lie in.
#[derive(Clone, Debug)]
pub(crate) struct GemmCall<'a> {
    pub(crate) tuple: Tuple,
    pub(crate) m: u32,
    pub(crate) n: u32,
    pub(crate) k: u32,
    pub(crate) a: &'a [i32],
    pub(crate) b: &'a [i32],
    /// Of A, B and D.
    pub(crate) orders: [Order; 3],
    pub(crate) options: GemmOptions,
    /// What is done to integer sums.
    pub(crate) epilogue: Option<Both>,
}

/// The result of a dense product, row after row, and what it cost.
#[derive(Clone, Debug)]
pub(crate) struct GemmDone {
    pub(crate) d: Vec<i32>,
    /// How the card went about it.
    pub(crate) plan: Plan,
    pub(crate) cycles: u64,
    pub(crate) compute_cycles: u64,
    pub(crate) dram_bytes: u64,
}

/// What a sparse product cost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SpgemmCounts {
    pub(crate) cycles: u64,
    pub(crate) dram_bytes: u64,
    pub(crate) hazard_stalls: u64,
    pub(crate) spills: u64,
    pub(crate) windows: u64,
}

/// An open card.
pub(crate) struct Session {
    card: Context,
    output: Output,
}

impl Session {
    /// Simulates the card with a memory of at least `bytes`, and opens it; or takes one that is there already.
    ///
    /// # Errors
    /// The card cannot be simulated, or the driver refuses it.
    pub(crate) fn open(
        chosen: &Chosen,
        kind: SimulatorKind,
        bytes: u64,
        memory: &MemoryArgs,
        output: Output,
    ) -> Result<Self, Failure> {
        if let Some(live) = &chosen.live {
            let device = live.device();
            return Ok(Self { card: device.context(ContextOptions::default())?, output });
        }
        // Whoever simulates a card needs nothing of one that is open.
        let (chosen, memory) = (Chosen { live: None, ..chosen.clone() }, *memory);
        let simulated = ThreadedCard::spawn(move || start(&chosen, kind, bytes, &memory, output))?;
        let device = Device::open_with(Box::new(simulated))?;
        Ok(Self { card: device.context(ContextOptions::default())?, output })
    }

    /// As [`open`](Self::open), in the interpreter, with a trace.
    ///
    /// # Errors
    /// As [`open`](Self::open); also when the trace cannot be written.
    pub(crate) fn open_traced(
        chosen: &Chosen,
        bytes: u64,
        memory: &MemoryArgs,
        traced: Traced,
        output: Output,
    ) -> Result<Self, Failure> {
        let (chosen, memory) = (Chosen { live: None, ..chosen.clone() }, *memory);
        let simulated =
            ThreadedCard::spawn(move || start_traced(&chosen, bytes, &memory, traced, output))?;
        let device = Device::open_with(Box::new(simulated))?;
        Ok(Self { card: device.context(ContextOptions::default())?, output })
    }

    /// The open card.
    pub(crate) fn card(&self) -> Device {
        self.card.device()
    }

    /// The driver's calls on the card.
    pub(crate) fn context(&self) -> &Context {
        &self.card
    }

    /// A dense product.
    ///
    /// # Errors
    /// Those of the driver.
    pub(crate) fn gemm(
        &mut self,
        call: &GemmCall<'_>,
        memory: &MemoryArgs,
    ) -> Result<GemmDone, Failure> {
        let (m, n, k) = (call.m as usize, call.n as usize, call.k as usize);
        let [order_a, order_b, order_d] = call.orders;
        let a = Stored::new(call.tuple.a, call.a, (m, k), order_a)?;
        let b = Stored::new(call.tuple.b, call.b, (k, n), order_b)?;
        let (a, b) = (a.view((m, k))?, b.view((k, n))?);
        let order = order_d.driver();
        let size = call.tuple.d.storage_bits() as usize / 8;
        let mut d = vec![0u8; size * m * n];
        let ld = if order_d == Order::Row { n } else { m };
        let (one, zero) = Scalar::one_and_zero(call.tuple.d);
        let mut c = DynViewMut::new(&mut d, order, m, n, ld, call.tuple.d)?;
        let _progress = Progress::start(self.output, format!("multiplying {m} x {n} x {k}"));
        let bus_bytes = self.card.capabilities().bus_bytes;
        let latency = memory.latency;
        let bytes_per_cycle = memory.bandwidth.unwrap_or(bus_bytes).min(bus_bytes);
        let behind = plan::Memory { bus_bytes, latency, bytes_per_cycle };
        let options = &call.options;
        let (plan, event) = match &call.epilogue {
            None => {
                let plan = self.card.plan_gemm(options, a, b, c.reborrow(), &behind)?;
                (plan, self.card.gemm_dyn(options, one, a, b, zero, c)?)
            }
            Some(Both { card, .. }) => {
                let to = c.reborrow();
                let plan = self.card.plan_gemm_epilogue(options, card, a, b, to, &behind)?;
                (plan, self.card.gemm_epilogue_dyn(options, card, a, b, c)?)
            }
        };
        let stats = event.wait()?;
        let d: Vec<i32> = d.chunks_exact(size).map(|code| number(call.tuple.d, code)).collect();
        Ok(GemmDone {
            plan,
            d: if order_d == Order::Row { d } else { transposed(&d, n, m) },
            cycles: stats.cycles,
            compute_cycles: stats.compute_cycles,
            dram_bytes: stats.bytes_read + stats.bytes_written,
        })
    }

    /// A sparse product.
    ///
    /// # Errors
    /// Those of the driver.
    pub(crate) fn spgemm<T: SparseValue>(
        &mut self,
        a: &Csr<T>,
        b: &Csr<T>,
        mask: Option<&Mask<'_, i32>>,
        onto: Option<&Csr<T::Sum>>,
        options: &SpgemmOptions,
    ) -> Result<(Csr<T::Sum>, SpgemmCounts), Failure> {
        let what = format!("multiplying {} by {} entries", a.nnz(), b.nnz());
        let _progress = Progress::start(self.output, what);
        let (c, stats) = self.card.spgemm_onto(a, b, mask, onto, options)?;
        let counts = SpgemmCounts {
            cycles: stats.cycles,
            dram_bytes: stats.bytes_read + stats.bytes_written,
            hazard_stalls: stats.hazard_stalls,
            spills: stats.spills,
            windows: stats.windows,
        };
        Ok((c, counts))
    }
}

/// A result as it lies in memory: the number of an integer, the code of a float.
pub(crate) fn number(format: Format, bytes: &[u8]) -> i32 {
    let code = bytes.iter().rev().fold(0, |word, byte| word << 8 | u32::from(*byte));
    match format.decode(code & u32::MAX >> (32 - format.bits())) {
        Value::Int(value) => value as i32,
        Value::Float(_) => code as i32,
    }
}

impl Order {
    pub(crate) fn driver(self) -> mattock::Order {
        match self {
            Self::Row => mattock::Order::Row,
            Self::Column => mattock::Order::Column,
        }
    }
}

/// A matrix as it lies in host memory.
pub(crate) struct Stored {
    format: Format,
    order: Order,
    /// Elements from one row (column) to the next.
    ld: usize,
    bytes: Vec<u8>,
}

impl Stored {
    /// Lays out values that are given row after row: integers, or codes of floats.
    fn new(
        format: Format,
        values: &[i32],
        (rows, cols): (usize, usize),
        order: Order,
    ) -> Result<Self, Failure> {
        let turned;
        let (values, len) = match order {
            Order::Row => (values, cols),
            Order::Column => {
                turned = transposed(values, rows, cols);
                (&turned[..], rows)
            }
        };
        let code = |value: i32| match format {
            Format::Float(_) => value as u32,
            _ => format.encode(Value::Int(value.into()), Rounding::Rne, false),
        };
        // Lines begin on whole bytes.
        let bits = format.storage_bits() as usize;
        let ld = len.next_multiple_of((8 / bits).max(1));
        let line_bytes = ld * bits / 8;
        let mut bytes = vec![0; values.len() / len.max(1) * line_bytes];
        for (line, values) in bytes.chunks_mut(line_bytes.max(1)).zip(values.chunks(len.max(1))) {
            for (i, &value) in values.iter().enumerate() {
                for (at, byte) in
                    code(value).to_le_bytes().iter().take(bits.div_ceil(8)).enumerate()
                {
                    line[i * bits / 8 + at] |= byte << (i * bits % 8);
                }
            }
        }
        Ok(Self { order, ld, format, bytes })
    }

    /// As [`new`](Self::new), for matrices one after the other.
    pub(crate) fn many(
        format: Format,
        values: &[i32],
        shape: (usize, usize),
        count: usize,
        order: Order,
    ) -> Result<Self, Failure> {
        let mut all = Self { format, order, ld: 0, bytes: vec![] };
        for values in values.chunks(values.len().div_ceil(count.max(1)).max(1)) {
            let one = Self::new(format, values, shape, order)?;
            all.ld = one.ld;
            all.bytes.extend(one.bytes);
        }
        Ok(all)
    }

    /// The bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Elements there is room for.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len() * 8 / self.format.storage_bits() as usize
    }

    pub(crate) fn view(&self, (rows, cols): (usize, usize)) -> Result<DynView<'_>, Failure> {
        let order = self.order.driver();
        Ok(DynView::new(&self.bytes, order, rows, cols, self.ld, self.format)?)
    }
}

/// The transpose of a `rows` x `cols` matrix that lies row after row.
fn transposed(values: &[i32], rows: usize, cols: usize) -> Vec<i32> {
    let at = |i: usize| values.get(i % rows * cols + i / rows).copied().unwrap_or(0);
    (0..values.len()).map(at).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matrices_lie_as_asked() {
        let values = [1, 2, 3, -4, -5, -6];
        assert_eq!(transposed(&values, 2, 3), [1, -4, 2, -5, 3, -6]);
        assert!(transposed(&[], 0, 3).is_empty());
        let stored = |format, order| {
            let stored = Stored::new(format, &values, (2, 3), order).unwrap();
            (stored.ld, stored.bytes)
        };
        let bytes = |values: &[i8]| values.iter().map(|&v| v as u8).collect::<Vec<u8>>();
        assert_eq!(stored(Format::I8, Order::Row), (3, bytes(&[1, 2, 3, -4, -5, -6])));
        assert_eq!(stored(Format::I4, Order::Row), (4, vec![0x21, 0x03, 0xbc, 0x0a]));
        assert_eq!(stored(Format::I4, Order::Column), (2, vec![0xc1, 0xb2, 0xa3]));
        let e2m1 = "e2m1".parse().unwrap();
        let codes = Stored::new(e2m1, &[1, 15, 7], (1, 3), Order::Row).unwrap();
        assert_eq!((codes.ld, codes.bytes), (4, vec![0xf1, 0x07]));
    }
}
