//! A command of the dense engine: its ports, what is refused, and the exchange of operands.

use super::engine::GemmEngine;
use super::geometry::Geometry;
use mattock_spec::ErrorCode;
use mattock_spec::command::GemmCommand;
use mattock_spec::regs::{Field, Reg, gemm as regs};
use rtl_gen::{Builder, Sig, any, bit, bits, uint};

/// The command's input ports, named as the registers of `mattock-spec`; table in
/// [`GemmEngine`](super::GemmEngine).
pub(super) struct CommandPorts<'m> {
    dims: [Sig<'m>; 3],
    addrs: [Sig<'m>; 3],
    strides: [Sig<'m>; 3],
    col_major: [Sig<'m>; 3],
    sizes: [Sig<'m>; 2],
    steps: [Sig<'m>; 4],
    /// Log2 of the bytes of an element of D, with an epilogue.
    d_size: Option<Sig<'m>>,
    /// On cards with batches.
    batch: Option<BatchPorts<'m>>,
    dim_bits: u32,
}

/// Ports of a command of many products.
#[derive(Clone, Copy)]
struct BatchPorts<'m> {
    batch: Sig<'m>,
    listed: Sig<'m>,
    products: Sig<'m>,
    next: [Sig<'m>; 3],
    list: Sig<'m>,
}

impl<'m> CommandPorts<'m> {
    /// D is stored column by column: the operands change sides.
    pub(super) fn d_col_major(&self) -> Sig<'m> {
        self.col_major[2]
    }

    pub(super) fn declare(m: &'m Builder, g: &Geometry) -> Self {
        let each =
            |suffix: &str, ty| ["a", "b", "d"].map(|x| m.input(&format!("{x}_{suffix}"), ty));
        CommandPorts {
            dims: ["m", "n", "k"].map(|x| m.input(x, uint(32))),
            addrs: each("addr", uint(g.addr_bits)),
            strides: each("stride", uint(g.stride_bits())),
            col_major: each("col_major", bit()),
            sizes: ["a_size", "b_size"].map(|x| m.input(x, uint(g.size_bits()))),
            steps: ["load_a", "load_b", "compute", "store"].map(|x| m.input(x, bit())),
            d_size: g.lane.map(|_| m.input("d_size", uint(2))),
            batch: g.batch.then(|| BatchPorts {
                batch: m.input("batch", bit()),
                listed: m.input("batch_listed", bit()),
                products: m.input("products", uint(32)),
                next: each("next", uint(g.stride_bits())),
                list: m.input("list", uint(g.addr_bits)),
            }),
            dim_bits: g.dim_bits(),
        }
    }
}

/// One operand as the array takes it: `rows` x K.
#[derive(Clone, Copy)]
pub(super) struct Side<'m> {
    pub(super) rows: Sig<'m>,
    pub(super) base: Sig<'m>,
    pub(super) stride: Sig<'m>,
    /// k is contiguous in memory.
    pub(super) along_k: Sig<'m>,
    /// Which of the sizes of elements.
    pub(super) size: Sig<'m>,
    pub(super) load: Sig<'m>,
}

/// The command in hand.
///
/// The store unit writes rows. A column-major D is computed as its transpose, D' = B' * A': the operands
/// change sides, which costs two multiplexers per field. Commands that share operands on chip must
/// therefore agree on `d_col_major`.
pub(super) struct Command<'m> {
    pub(super) left: Side<'m>,
    pub(super) right: Side<'m>,
    /// K, or 1 when K is 0.
    pub(super) k_steps: Sig<'m>,
    /// K is 0.
    pub(super) empty_k: Sig<'m>,
    /// M or N is 0, or no step is asked for: nothing to do.
    pub(super) empty: Sig<'m>,
    pub(super) compute: Sig<'m>,
    pub(super) store: Sig<'m>,
    pub(super) d_base: Sig<'m>,
    pub(super) d_stride: Sig<'m>,
    /// Of [`CommandPorts::d_size`].
    pub(super) d_size: Option<Sig<'m>>,
    /// On cards with batches.
    pub(super) batch: Option<Batch<'m>>,
    too_long: [Sig<'m>; 3],
}

/// Many products as one command.
#[derive(Clone, Copy)]
pub(super) struct Batch<'m> {
    /// The command is one of many products; otherwise of one.
    pub(super) on: Sig<'m>,
    /// Their addresses are in a list.
    pub(super) listed: Sig<'m>,
    /// How many, 1 for a command of one.
    pub(super) products: Sig<'m>,
    /// Bytes from one to the next, of the left and right operand and D.
    pub(super) next: [Sig<'m>; 3],
    /// Where the list is.
    pub(super) list: Sig<'m>,
    /// The left operand is B.
    pub(super) swapped: Sig<'m>,
}

/// Why a command is refused before anything runs.
pub(super) struct Refused<'m> {
    pub(super) any: Sig<'m>,
    pub(super) code: Sig<'m>,
    /// Offset of the field in the parameter block.
    pub(super) field: Sig<'m>,
}

impl<'m> Command<'m> {
    /// Registers the ports at `start`.
    pub(super) fn latch(m: &'m Builder, p: &CommandPorts<'m>, start: Sig<'m>) -> Self {
        let swap = p.col_major[2];
        let keep = |name: &str, value: Sig<'m>| m.reg_when(name, start, value);
        let dim = |i: usize| p.dims[i].trunc(p.dim_bits);
        let from_a = Side {
            rows: dim(0),
            base: p.addrs[0],
            stride: p.strides[0],
            along_k: !p.col_major[0],
            size: p.sizes[0],
            load: p.steps[0],
        };
        let from_b = Side {
            rows: dim(1),
            base: p.addrs[1],
            stride: p.strides[1],
            along_k: p.col_major[1],
            size: p.sizes[1],
            load: p.steps[1],
        };
        let side = |name: &str, swapped: Side<'m>, normal: Side<'m>| {
            m.scope(name, || Side {
                rows: keep("rows", swap.mux(swapped.rows, normal.rows)),
                base: keep("base", swap.mux(swapped.base, normal.base)),
                stride: keep("stride", swap.mux(swapped.stride, normal.stride)),
                along_k: keep("along_k", swap.mux(swapped.along_k, normal.along_k)),
                size: keep("size", swap.mux(swapped.size, normal.size)),
                load: keep("load", swap.mux(swapped.load, normal.load)),
            })
        };
        let batch = p.batch.map(|b| {
            let [a, b_next, d] = b.next;
            Batch {
                on: keep("batch_q", b.batch),
                listed: keep("listed_q", b.listed),
                products: keep("products_q", b.batch.mux(b.products, b.products.lit(1))),
                next: [
                    keep("left_next", swap.mux(b_next, a)),
                    keep("right_next", swap.mux(a, b_next)),
                    keep("d_next_q", d),
                ],
                list: keep("list_q", b.list),
                swapped: keep("swapped", swap),
            }
        });
        let k = dim(2);
        let empty_k = p.dims[2].is(0);
        let asks = any(&p.steps);
        let mut nothing = vec![p.dims[0].is(0), p.dims[1].is(0), !asks];
        nothing.extend(p.batch.map(|b| b.batch & b.products.is(0)));
        let too_long = [0, 1, 2].map(|i| {
            let high = p.dims[i].slice(31, p.dim_bits);
            keep(["m_too_long", "n_too_long", "k_too_long"][i], high.red_or())
        });
        Command {
            left: side("left", from_b, from_a),
            right: side("right", from_a, from_b),
            k_steps: keep("k_steps", empty_k.mux(k.lit(1), k)),
            empty_k: keep("empty_k", empty_k),
            empty: keep("empty", any(&nothing)),
            compute: keep("compute_q", p.steps[2]),
            store: keep("store_q", p.steps[3]),
            d_base: keep("d_base", p.addrs[2]),
            d_stride: keep("d_stride_q", p.strides[2]),
            d_size: p.d_size.map(|size| keep("d_size_q", size)),
            batch,
            too_long,
        }
    }

    /// Registers that are told a word at a time, MODE first. A column-major D changes where the words of A and B go.
    pub(super) fn of_words(m: &'m Builder, g: &Geometry) -> Self {
        let valid = m.input("word_valid", bit());
        let index = m.input("word_index", uint(GemmEngine::INDEX_BITS));
        let word = m.input("word", bits(32));
        let of = |reg: &Reg| valid & index.is(GemmEngine::index_of(reg));
        let keep = |name: &str, start: i128, when: Sig<'m>, value: Sig<'m>| {
            let kept = m.state(name, value.ty(), start);
            kept.drive_when(when, value);
            kept.q()
        };
        let mode = of(&regs::MODE);
        let flag = |name: &str, field: Field| keep(name, 0, mode, word.bit(field.low));
        let a_across = flag("a_col_major", regs::MODE::A_COL_MAJOR);
        let b_across = flag("b_col_major", regs::MODE::B_COL_MAJOR);
        let swap = flag("d_col_major", regs::MODE::D_COL_MAJOR);
        let load_a = flag("load_a", regs::MODE::LOAD_A);
        let load_b = flag("load_b", regs::MODE::LOAD_B);
        let compute = flag("compute_q", regs::MODE::COMPUTE);
        let store = flag("store_q", regs::MODE::STORE);
        let [a_size, b_size] = ["a_size", "b_size"].map(|x| m.input(x, uint(g.size_bits())));

        let zero = word.is(0).named("word_zero");
        let long = word.slice(31, g.dim_bits()).red_or().named("word_long");
        let (dim, addr, stride) = (
            word.trunc(g.dim_bits()).as_u(),
            word.resize(g.addr_bits).as_u(),
            word.trunc(g.stride_bits()).as_u(),
        );
        let [m_word, n_word, k_word] = [&regs::M, &regs::N, &regs::K].map(of);
        let too_long = [("m", m_word), ("n", n_word), ("k", k_word)]
            .map(|(name, when)| keep(&format!("{name}_too_long"), 0, when, long));
        let side =
            |name: &str, swapped: [Sig<'m>; 3], normal: [Sig<'m>; 3], flags: [Sig<'m>; 3]| {
                let [rows, base, step] = [0, 1, 2].map(|i| swap.mux(swapped[i], normal[i]));
                m.scope(name, || {
                    let none = keep("none", 1, rows, zero);
                    let rows = keep("rows", 0, rows, dim);
                    let (base, stride) =
                        (keep("base", 0, base, addr), keep("stride", 0, step, stride));
                    let [along_k, size, load] = flags;
                    (Side { rows, base, stride, along_k, size, load }, none)
                })
            };
        let of_a = [m_word, of(&regs::A_LO), of(&regs::A_STRIDE)];
        let of_b = [n_word, of(&regs::B_LO), of(&regs::B_STRIDE)];
        let (a_along, b_along) = (!a_across, b_across);
        let left = [swap.mux(b_along, a_along), swap.mux(b_size, a_size), swap.mux(load_b, load_a)];
        let right =
            [swap.mux(a_along, b_along), swap.mux(a_size, b_size), swap.mux(load_a, load_b)];
        let (left, no_rows) = side("left", of_b, of_a, left);
        let (right, no_cols) = side("right", of_a, of_b, right);
        let asks = any(&[load_a, load_b, compute, store]);
        Command {
            left,
            right,
            k_steps: keep("k_steps", 1, k_word, zero.mux(dim.lit(1), dim)),
            empty_k: keep("empty_k", 1, k_word, zero),
            empty: any(&[no_rows, no_cols, !asks]),
            compute,
            store,
            d_base: keep("d_base", 0, of(&regs::D_LO), addr),
            d_stride: keep("d_stride_q", 0, of(&regs::D_STRIDE), stride),
            d_size: None,
            batch: None,
            too_long,
        }
    }

    /// Checks of the latched command: dimensions that the counters or memory cannot hold, a result that is not aligned to its elements.
    pub(super) fn refused(&self, m: &'m Builder) -> Refused<'m> {
        let field = |offset: i128| m.lit(bits(32), offset);
        let past = |x: Sig<'m>| match self.d_size {
            None => x.slice(1, 0).red_or(),
            Some(size) => (x.bit(0) & !size.is(0)) | (x.bit(1) & size.bit(1)),
        };
        let unaligned = |x: Sig<'m>| past(x) & self.store & !self.empty;
        let [long_m, long_n, _] = self.too_long;
        let too_long = any(&self.too_long);
        let (bad_base, mut bad_stride) = (unaligned(self.d_base), unaligned(self.d_stride));
        if let Some(batch) = self.batch {
            bad_stride = bad_stride | (unaligned(batch.next[2]) & batch.on);
        }
        let any = any(&[too_long, bad_base, bad_stride]).named("refused");
        let code = |c: ErrorCode| m.lit(bits(8), c as i128);
        // M, N and K are words 1 to 3 of the parameter block.
        let bad_dim = long_m.mux(field(4), long_n.mux(field(8), field(12)));
        let place = too_long.mux(bad_dim, field(GemmCommand::OFFSET_D.into()));
        Refused {
            any,
            code: too_long.mux(code(ErrorCode::BadShape), code(ErrorCode::BadAddress)),
            field: place,
        }
    }
}
