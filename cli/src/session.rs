//! A card opened through the driver, and the calls our commands make on it.

use clap::ValueEnum;
use mattock::dense::{self, Elements, Operand};
use mattock::plan::{self, Plan};
use mattock::sparse::{SparseValue, SpgemmOptions};
use mattock::{Card, Csr};
use mattock_spec::{Format, Tuple};
use mattock_testbench::reference::pack_i4;

use crate::card::Chosen;
use crate::error::Failure;
use crate::output::Output;
use crate::progress::Progress;
use crate::simulation::{MemoryArgs, SimulatorKind, start};

/// How a matrix lies in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Order {
    /// Row after row
    Row,
    /// Column after column
    Column,
}

/// A dense product; `a` and `b` hold the values row after row, whatever order they shall lie in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GemmCall<'a> {
    pub(crate) tuple: Tuple,
    pub(crate) m: u32,
    pub(crate) n: u32,
    pub(crate) k: u32,
    pub(crate) a: &'a [i32],
    pub(crate) b: &'a [i32],
    /// Of A, B and D.
    pub(crate) orders: [Order; 3],
    pub(crate) resident: bool,
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
    card: Card,
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
            return Ok(Self { card: live.take(&chosen.origin)?, output });
        }
        let simulated = start(chosen, kind, bytes, memory, output)?;
        Ok(Self { card: Card::open_with(Box::new(simulated))?, output })
    }

    /// The open card.
    pub(crate) fn card(&mut self) -> &mut Card {
        &mut self.card
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
        let (a, b, order) = (a.operand(), b.operand(), order_d.driver());
        let product = dense::GemmCall { m, n, k, a, b, order, resident: call.resident };
        let _progress = Progress::start(self.output, format!("multiplying {m} x {n} x {k}"));
        let bus_bytes = self.card.capabilities().bus_bytes;
        let latency = memory.latency;
        let bytes_per_cycle = memory.bandwidth.unwrap_or(bus_bytes).min(bus_bytes);
        let behind = plan::Memory { bus_bytes, latency, bytes_per_cycle };
        let plan = self.card.plan_gemm(&product, &behind)?;
        let (d, stats) = self.card.gemm(&product)?;
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
    ) -> Result<(Csr<T>, SpgemmCounts), Failure> {
        let what = format!("multiplying {} by {} entries", a.nnz(), b.nnz());
        let _progress = Progress::start(self.output, what);
        let (c, stats) = self.card.spgemm(a, b, &SpgemmOptions::default())?;
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

impl Order {
    fn driver(self) -> dense::Order {
        match self {
            Self::Row => dense::Order::Row,
            Self::Column => dense::Order::Column,
        }
    }
}

/// A matrix as it lies in host memory.
struct Stored {
    order: Order,
    /// Elements from one row (column) to the next.
    ld: usize,
    elements: Bytes,
}

enum Bytes {
    I8(Vec<i8>),
    I4(Vec<u8>),
}

impl Stored {
    /// Lays out values that are given row after row.
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
        let narrow = |values: &[i32]| values.iter().map(|&value| value as i8).collect::<Vec<_>>();
        if format == Format::I8 {
            return Ok(Self { order, ld: len, elements: Bytes::I8(narrow(values)) });
        }
        if format != Format::I4 {
            let why = format!("the driver does not send {format} operands yet");
            return Err(Failure::new("gemm", why).allowed("i8 and i4").next("choose other types"));
        }
        // Lines of 4-bit elements begin on whole bytes.
        let ld = len.next_multiple_of(2);
        let mut padded = Vec::with_capacity(values.len() / len.max(1) * ld);
        for line in values.chunks(len.max(1)) {
            padded.extend(narrow(line));
            padded.resize(padded.len().next_multiple_of(2), 0);
        }
        let packed = pack_i4(&padded).map_err(|error| Failure::new("gemm", error))?;
        Ok(Self { order, ld, elements: Bytes::I4(packed) })
    }

    fn operand(&self) -> Operand<'_> {
        let elements = match &self.elements {
            Bytes::I8(values) => Elements::I8(values),
            Bytes::I4(packed) => Elements::I4(packed),
        };
        Operand { elements, order: self.order.driver(), ld: self.ld }
    }
}

/// The transpose of a `rows` x `cols` matrix that lies row after row.
fn transposed(values: &[i32], rows: usize, cols: usize) -> Vec<i32> {
    let at = |i: usize| values.get(i % rows * cols + i / rows).copied().unwrap_or(0);
    (0..values.len()).map(at).collect()
}

#[cfg(test)]
mod tests {
    use mattock_testbench::reference::unpack_i4;

    use super::*;

    #[test]
    fn matrices_lie_as_asked() {
        let values = [1, 2, 3, -4, -5, -6];
        assert_eq!(transposed(&values, 2, 3), [1, -4, 2, -5, 3, -6]);
        assert!(transposed(&[], 0, 3).is_empty());
        let stored = |format, order| Stored::new(format, &values, (2, 3), order).unwrap();
        let Stored { ld: 3, elements: Bytes::I8(row), .. } = stored(Format::I8, Order::Row) else {
            panic!("three i8 a row");
        };
        assert_eq!(row, [1, 2, 3, -4, -5, -6]);
        let Stored { ld: 4, elements: Bytes::I4(packed), .. } = stored(Format::I4, Order::Row)
        else {
            panic!("four nibbles a row");
        };
        assert_eq!(unpack_i4(&packed), [1, 2, 3, 0, -4, -5, -6, 0]);
        let Stored { ld: 2, elements: Bytes::I4(packed), .. } = stored(Format::I4, Order::Column)
        else {
            panic!("two nibbles a column");
        };
        assert_eq!(unpack_i4(&packed), [1, -4, 2, -5, 3, -6]);
        assert!(Stored::new(Format::int(16), &values, (2, 3), Order::Row).is_err());
    }
}
