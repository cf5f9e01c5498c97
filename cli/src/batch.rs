//! `mattock gemm --batch`: many products of one shape in one call, every element of each checked.
//!
//! ```text
//! $ mattock gemm --config bench16 --batch 100000 --m 4 --n 4 --k 4 --json
//! ```

use clap::Args;
use mattock::dense::Strided;
use mattock::plan::{BatchPlan, Memory, Plan, Problem};
use mattock::{Context, DmaBuf, DynView, DynViewMut, GemmOptions, GemmStats, Scalar};
use mattock_spec::Tuple;
use mattock_testbench::reference::dense::DenseGemm;
use serde::Serialize;

use crate::arguments::whole;
use crate::card::Chosen;
use crate::error::Failure;
use crate::output::{grouped, table};
use crate::session::{Order, Session, Stored, number};
use crate::simulation::{MemoryArgs, SimulatorKind};

/// Many products at once.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct BatchArgs {
    /// So many products of this shape in one call: one command on a card built with `gemm.batch`
    #[arg(long, value_name = "PRODUCTS", value_parser = whole::<u32>, allow_negative_numbers = true,
        conflicts_with_all = ["resident", "plan", "quantized"])]
    batch: Option<u32>,
    /// Matrices in any order in card memory, found by an array of addresses; otherwise at equal distances
    #[arg(long, requires = "batch")]
    pointers: bool,
}

/// What the products have in common, and the numbers of all of them, product after product, row after row.
pub(crate) struct Products<'a> {
    pub(crate) tuple: Tuple,
    pub(crate) shape: [u32; 3],
    pub(crate) a: &'a [i32],
    pub(crate) b: &'a [i32],
    pub(crate) orders: [Order; 3],
    pub(crate) options: GemmOptions,
}

/// What `--json` prints; the keys are stable.
#[derive(Serialize)]
pub(crate) struct Report {
    batch: u32,
    pointers: bool,
    m: u32,
    n: u32,
    k: u32,
    types: String,
    commands: u64,
    cycles: u64,
    compute_cycles: u64,
    cycles_per_product: f64,
    /// The longer of the time of a product's tiles in the array and of its bytes on the bus.
    bound_cycles_per_product: f64,
    bound: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    predicted_cycles: Option<u64>,
    macs: u64,
    dram_bytes: u64,
    pub(crate) mismatches: u64,
    simulator: &'static str,
}

impl BatchArgs {
    /// How many products, if there are many.
    ///
    /// # Errors
    /// None at all.
    pub(crate) fn count(&self) -> Result<Option<u32>, Failure> {
        match self.batch {
            Some(0) => Err(Failure::argument("gemm", "--batch", "0")
                .allowed("1 or more products")
                .next("leave `--batch` out for one product")),
            count => Ok(count),
        }
    }

    /// Runs the products and compares them.
    ///
    /// # Errors
    /// Those of the driver.
    pub(crate) fn measure(
        &self,
        products: &Products<'_>,
        count: u32,
        session: &Session,
        chosen: &Chosen,
        memory: &MemoryArgs,
        simulator: SimulatorKind,
    ) -> Result<Report, Failure> {
        let card = session.context();
        let bus_bytes = card.capabilities().bus_bytes;
        let bytes_per_cycle = memory.bandwidth.unwrap_or(bus_bytes).min(bus_bytes);
        let behind = Memory { bus_bytes, latency: memory.latency, bytes_per_cycle };
        let (stats, d, plan) = match self.pointers {
            false => strided(products, count as usize, card, &behind)?,
            true => pointers(products, count as usize, card)?,
        };
        let [m, n, k] = products.shape;
        let (array, bus) = bounds(products, card, &behind)?;
        let macs = u64::from(count) * u64::from(m) * u64::from(n) * u64::from(k);
        Ok(Report {
            batch: count,
            pointers: self.pointers,
            m,
            n,
            k,
            types: products.tuple.to_string(),
            commands: stats.commands,
            cycles: stats.cycles,
            compute_cycles: stats.compute_cycles,
            cycles_per_product: stats.cycles as f64 / f64::from(count),
            bound_cycles_per_product: array.max(bus),
            bound: if array >= bus { "array" } else { "bus" },
            predicted_cycles: plan.map(|plan| plan.cycles),
            macs,
            dram_bytes: stats.bytes_read + stats.bytes_written,
            mismatches: mismatches(products, &d),
            simulator: chosen.runner(simulator),
        })
    }
}

/// Cycles of a product by the array alone and by the bus alone.
fn bounds(products: &Products<'_>, card: &Context, memory: &Memory) -> Result<(f64, f64), Failure> {
    let [m, n, k] = products.shape;
    let Tuple { a, b, d, .. } = products.tuple;
    let bits = [a, b, d].map(|format| format.storage_bits());
    let orders = products.orders.map(Order::driver);
    let problem = Problem { m, n, k, bits, parameters: 0, orders };
    let Some(caps) = card.capabilities().gemm else {
        return Err(Failure::new("gemm", "the card has no GEMM engine"));
    };
    let plan = Plan::of(&problem, &caps, memory);
    let elements = [(m, k), (k, n), (m, n)].map(|(x, y)| u64::from(x) * u64::from(y));
    let bits: u64 = elements.iter().zip(bits).map(|(n, bits)| n * u64::from(bits)).sum();
    let bus = bits as f64 / 8.0 / f64::from(memory.bytes_per_cycle.max(1));
    Ok(((plan.tiles * plan.tile_cycles) as f64, bus))
}

type Done = (GemmStats, Vec<i32>, Option<BatchPlan>);

/// Products at equal distances in host memory.
fn strided(
    products: &Products<'_>,
    count: usize,
    card: &Context,
    memory: &Memory,
) -> Result<Done, Failure> {
    let [m, n, k] = products.shape.map(|x| x as usize);
    let Tuple { a, b, d: format, .. } = products.tuple;
    let [order_a, order_b, order_d] = products.orders;
    let a = Stored::many(a, products.a, (m, k), count, order_a)?;
    let b = Stored::many(b, products.b, (k, n), count, order_b)?;
    let (a, b) = (
        Strided { first: a.view((m, k))?, stride: a.len() / count },
        Strided { first: b.view((k, n))?, stride: b.len() / count },
    );
    let size = format.storage_bits() as usize / 8;
    let mut bytes = vec![0u8; size * m * n * count];
    let ld = if order_d == Order::Row { n } else { m };
    let (one, zero) = Scalar::one_and_zero(format);
    let first = DynViewMut::new(&mut bytes, order_d.driver(), m, n, ld, format)?;
    let mut c = Strided { first, stride: m * n };
    let options = &products.options;
    let to = Strided { first: c.first.reborrow(), stride: m * n };
    let plan = card.plan_gemm_strided_batched(options, a, b, to, count, memory)?;
    let stats = card.gemm_strided_batched_dyn(options, one, a, b, zero, c, count)?.wait()?;
    let d = bytes.chunks_exact(size).map(|code| number(format, code)).collect();
    Ok((stats, by_rows(d, products), plan))
}

/// Products whose matrices lie in card memory one after the other, taken in another order for each of A, B and D.
fn pointers(products: &Products<'_>, count: usize, card: &Context) -> Result<Done, Failure> {
    let [m, n, k] = products.shape.map(|x| x as usize);
    let Tuple { a, b, d: format, .. } = products.tuple;
    let [order_a, order_b, order_d] = products.orders;
    // Steps that have no factor in common with the count visit every place once.
    let place =
        |i: usize, step: u64| (i as u64 * coprime(step, count as u64) % count as u64) as usize;
    let lines = |order: Order, rows: usize, cols: usize| match order {
        Order::Row => (rows, cols),
        Order::Column => (cols, rows),
    };
    // Lines and matrices at powers of two up to a beat: neither lies in more beats than it must.
    let bus = card.capabilities().bus_bytes as usize;
    let whole = |bytes: usize| match bytes < bus {
        true => bytes.next_power_of_two(),
        false => bytes.next_multiple_of(bus),
    };
    let operand = |format, values: &[i32], (rows, cols), order, step| {
        let stored = Stored::many(format, values, (rows, cols), count, order)?;
        let (lines, _) = lines(order, rows, cols);
        let line = stored.bytes().len() / (lines * count).max(1);
        let (apart, matrix) = (whole(line), whole(lines * whole(line)));
        let mut image = vec![0i8; matrix * count];
        for i in 0..count {
            for row in 0..lines {
                let from = &stored.bytes()[(i * lines + row) * line..][..line];
                let to = place(i, step) * matrix + row * apart;
                for (to, from) in image[to..].iter_mut().zip(from) {
                    *to = *from as i8;
                }
            }
        }
        let mut buffer: DmaBuf<i8> = card.alloc(image.len())?;
        buffer.write(0, &image)?;
        let bits = format.storage_bits() as usize;
        Ok::<_, Failure>((buffer, apart * 8 / bits, matrix))
    };
    let (a_memory, a_ld, a_bytes) = operand(a, products.a, (m, k), order_a, 7)?;
    let (b_memory, b_ld, b_bytes) = operand(b, products.b, (k, n), order_b, 11)?;
    let size = format.storage_bits() as usize / 8;
    let (d_lines, d_length) = lines(order_d, m, n);
    let (line, matrix) = (whole(size * d_length), whole(d_lines * whole(size * d_length)));
    let d_memory: DmaBuf<i8> = card.alloc(matrix * count)?;
    let view = |memory, order: Order, rows, cols, ld, format, start| {
        DynView::on_card(memory, order.driver(), rows, cols, ld, format, start)
    };
    let views = |memory, order, rows, cols, ld, format, bytes, step| {
        let at = |i| view(memory, order, rows, cols, ld, format, place(i, step) * bytes);
        (0..count).map(at).collect::<Result<Vec<_>, _>>()
    };
    let left = views(&a_memory, order_a, m, k, a_ld, a, a_bytes, 7)?;
    let right = views(&b_memory, order_b, k, n, b_ld, b, b_bytes, 11)?;
    let result = |i| {
        let (order, start) = (order_d.driver(), place(i, 13) * matrix);
        DynViewMut::on_shared_card(&d_memory, order, m, n, line / size, format, start)
    };
    let results = (0..count).map(result).collect::<Result<Vec<_>, _>>()?;
    let (one, zero) = Scalar::one_and_zero(format);
    let options = &products.options;
    let stats = card.gemm_batched_dyn(options, one, &left, &right, zero, results)?.wait()?;
    let bytes: Vec<u8> = d_memory.to_vec()?.iter().map(|byte| *byte as u8).collect();
    let d = (0..count).flat_map(|i| {
        let matrix = &bytes[place(i, 13) * matrix..];
        let lines = (0..d_lines).map(move |row| &matrix[row * line..][..size * d_length]);
        lines.flat_map(|line| line.chunks_exact(size)).map(|code| number(format, code))
    });
    Ok((stats, by_rows(d.collect(), products), None))
}

/// The first number from `step` on that has no factor in common with `count`.
fn coprime(step: u64, count: u64) -> u64 {
    let shares = |x: u64| {
        let (mut a, mut b) = (x, count);
        while b > 0 {
            (a, b) = (b, a % b);
        }
        a > 1
    };
    (step..).find(|&x| !shares(x)).unwrap_or(1)
}

/// Results row after row, whatever order they were written in.
fn by_rows(d: Vec<i32>, products: &Products<'_>) -> Vec<i32> {
    let [m, n, _] = products.shape.map(|x| x as usize);
    match products.orders[2] {
        Order::Row => d,
        Order::Column => d
            .chunks_exact((m * n).max(1))
            .flat_map(|d| (0..m * n).map(move |i| d[i % n * m + i / n]))
            .collect(),
    }
}

/// Elements of all products that differ from the reference.
fn mismatches(products: &Products<'_>, d: &[i32]) -> u64 {
    let [m, n, k] = products.shape.map(|x| x as usize);
    let GemmOptions { rounding, saturate, .. } = products.options;
    let model = DenseGemm { rounding, saturate, ..DenseGemm::new(products.tuple) };
    let codes = |values: &[i32], format: mattock_spec::Format| -> Vec<u32> {
        let mask = u32::MAX >> (32 - format.bits());
        values.iter().map(|&value| value as u32 & mask).collect()
    };
    let each = |i: usize| {
        let a = codes(&products.a[i * m * k..][..m * k], products.tuple.a);
        let b = codes(&products.b[i * k * n..][..k * n], products.tuple.b);
        match (model.product(&a, &b, &[], [m, n, k]), d.get(i * m * n..(i + 1) * m * n)) {
            (Ok(want), Some(got)) if want.len() == got.len() => {
                want.iter().zip(got).filter(|(want, got)| **want != **got as u32).count() as u64
            }
            _ => (m * n) as u64,
        }
    };
    (0..products.a.len() / (m * k).max(1)).map(each).sum()
}

impl Report {
    pub(crate) fn page(&self, chosen: &Chosen) -> String {
        let found = if self.pointers { "found by addresses" } else { "at equal distances" };
        let product = format!(
            "{} of {} x {} x {}, {}, {found}",
            grouped(self.batch.into()),
            self.m,
            self.n,
            self.k,
            self.types
        );
        let mut rows = vec![
            ("products", product),
            ("card", chosen.shown(self.simulator)),
            ("commands", grouped(self.commands)),
            ("cycles", grouped(self.cycles)),
        ];
        rows.extend(self.predicted_cycles.map(|cycles| ("predicted", grouped(cycles))));
        let elements = u64::from(self.batch) * u64::from(self.m) * u64::from(self.n);
        rows.extend([
            (
                "of a product",
                format!(
                    "{:.3}; bound {:.3}, by the {}",
                    self.cycles_per_product, self.bound_cycles_per_product, self.bound
                ),
            ),
            ("bytes moved", grouped(self.dram_bytes)),
            ("mismatches", format!("{} of {elements}", self.mismatches)),
        ]);
        let rows: Vec<_> =
            rows.into_iter().map(|(name, text)| vec![name.to_owned(), text]).collect();
        table(&rows, &[])
    }
}
