//! A product on a card's sparse engine, placed and started as by driver and host.

use super::{Command, Counts, Hang, Memory, Model, Operand};
use mattock::Csr;
use mattock_spec::command::SpgemmPart;
use mattock_spec::config::CardConfig;

/// First bus address of a simulated card's memory, and the multiples that the driver's pieces of it begin at.
const BASE: u64 = 0x1_0000;
const ALIGN: u64 = 64;
/// The lanes' turns at the banks go round from reset on, so that cycles depend on when a command begins: by a tenth of a
/// percent. The first command of a card that is simulated here begins so many cycles behind a multiple of `TURNS`.
const FIRST_TURN: u64 = 3;
const TURNS: u64 = 4;

/// Structure of a product of matrices that fit 32-bit words.
#[derive(Clone, Debug)]
pub struct Product {
    a: (Vec<u32>, Vec<u32>),
    b: (Vec<u32>, Vec<u32>),
    cols: u32,
    /// Multiply-adds.
    pub madds: u64,
}

impl Product {
    /// Of A and B, whose inner dimensions agree; `None` when one is too large.
    pub fn new<T>(a: &Csr<T>, b: &Csr<T>) -> Option<Self> {
        let words = |matrix: &Csr<T>| {
            u32::try_from(matrix.nnz()).ok()?;
            u32::try_from(matrix.rows()).ok()?;
            let ptr = matrix.row_ptr().iter().map(|p| *p as u32).collect();
            Some((ptr, matrix.col_idx().to_vec()))
        };
        let madds = a.col_idx().iter().map(|&k| b.row_nnz(k as usize) as u64).sum();
        Some(Product { a: words(a)?, b: words(b)?, cols: u32::try_from(b.cols()).ok()?, madds })
    }
}

/// What the lanes did in all cycles of a command, in lane cycles; the rest had nothing to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shares {
    /// A product was sent, those of replayed windows included.
    pub sends: u64,
    /// The merge core did not take it.
    pub core: u64,
    /// The half of its window was not free.
    pub window: u64,
    /// Data was awaited, or columns outside the range were passed over.
    pub data: u64,
}

/// Runs `A * B` as the first command of a card: B lies at the beginning of memory, as the driver puts it
/// there. `ordered`: products of an entry are added by rising k, as only cards built for it do. `parts` are those of [`spgemm_parts`](mattock::sparse::spgemm_parts) for a card of several clusters.
///
/// # Errors
/// When it takes longer than the driver would wait.
///
/// # Panics
/// When the card has no sparse engine.
pub fn run(
    card: &CardConfig,
    memory: &Memory,
    product: &Product,
    parts: &[SpgemmPart],
    ordered: bool,
) -> Result<(Counts, Shares), Hang> {
    let mut model = Model::new(card, memory).expect("a card with a sparse engine");
    let seed = card.spgemm.as_ref().map_or(0, |c| c.seed);
    let command = product.command(ordered, seed, u64::from(card.memory.bus_bytes));
    let mut age = 0;
    while !model.settled() || age % TURNS != FIRST_TURN {
        model.tick(&command, parts, false);
        age += 1;
    }
    let limit = 1_000_000 + 64 * (product.madds + product.a.1.len() as u64);
    let mut shares = Shares::default();
    model.tick(&command, parts, true);
    while !model.done() {
        model.tick(&command, parts, false);
        for watch in model.watch() {
            shares.sends += u64::from(watch.sends.count_ones());
            shares.core += u64::from(watch.core.count_ones());
            shares.window += u64::from(watch.window.count_ones());
            shares.data += u64::from(watch.data.count_ones());
        }
        if model.cycles > limit {
            return Err(Hang { cycles: limit });
        }
    }
    Ok((model.counts(), shares))
}

impl Product {
    fn command(&self, ordered: bool, seed: u32, line_bytes: u64) -> Command<'_> {
        let rows = self.a.0.len() as u32 - 1;
        let after = |at: u64, words: usize| at + (4 * words as u64).next_multiple_of(ALIGN);
        let b_col = after(BASE, self.b.0.len());
        let b_val = after(b_col, self.b.1.len());
        Command {
            a: Operand { ptr: &self.a.0, col: &self.a.1 },
            b: Operand { ptr: &self.b.0, col: &self.b.1 },
            cols: self.cols,
            first_row: 0,
            end_row: rows,
            first_col: 0,
            end_col: self.cols,
            capacity: u32::MAX,
            ordered,
            seed,
            b_ptr: BASE / line_bytes,
            b_col: b_col / line_bytes,
            b_val: b_val / line_bytes,
        }
    }
}
