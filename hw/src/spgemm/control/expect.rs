//! How many entries a row will have, learned from the rows before it.

use crate::cells::priority;
use rtl_gen::{Builder, MemSpec, Module, Sig, all, bit, bits, cat, mux, one_hot_mux, sint, uint};

/// Entries of a row of C from the number of its products: products times the ratio of the rows seen
/// so far in the same class, `floor(log2(products))`.
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `reset` | in | bit | pulse: forget everything (start of a command) |
/// | `products` | in | uint(24) | of a row |
/// | `expected` | out | uint(24) | its entries, two cycles later; registers |
/// | `note`, `note_row`, `note_products` | in | bit, uint(32), uint(24) | products of a row on its way; 0 when not known |
/// | `learn`, `learn_row`, `learn_entries` | in | bit, uint(32), uint(32) | the entries a row had |
///
/// A ratio moves towards the one seen by 1/4 to 1/2 of the difference (times `products / 2^class`, so that nothing has to be
/// divided) when more was seen, by a quarter of that when less: it settles above the mean, since a row that does not fit
/// costs more than a window that is not full. A class without a row of its own follows the one below it, times 13/16 for
/// each class between. [`Expect::ROWS`] rows may be on their way; what comes while a row is being learned is not learned.
#[derive(Clone, Copy, Debug)]
pub struct Expect;

/// Bits of a number of products; larger ones saturate.
pub(crate) const PRODUCT_BITS: u32 = 24;
/// Fraction bits of a ratio.
const RATIO: u32 = 12;

impl Expect {
    /// Rows remembered.
    pub const ROWS: u32 = 4096;
}

impl Module for Expect {
    fn name(&self) -> String {
        "row_expect".into()
    }

    fn build(&self, m: &Builder) {
        m.doc("Entries of a row expected from its products.");
        let count = uint(PRODUCT_BITS);
        let reset = m.input("reset", bit());
        let class_ty = uint(5);
        let ratio_ty = uint(RATIO);
        let full = m.lit(ratio_ty, (1 << RATIO) - 1);
        let ratios = m.mem("ratios", MemSpec::distributed(32, RATIO));

        // Question: class and ratio, then the product.
        let asked = m.input("products", count);
        let asked_class = class(m, asked);
        let ratio_1 = m.reg("ratio_1", ratios.read_async("asked_ratio", asked_class)).as_u();
        let products_1 = m.reg("products_1", asked);
        let scaled = m.reg("scaled", products_1 * ratio_1);
        m.output("expected", scaled.slice(PRODUCT_BITS + RATIO - 1, RATIO).as_u());

        // Rows on their way.
        let row_bits = Self::ROWS.trailing_zeros();
        let rows = m.mem("rows", MemSpec::block(Self::ROWS, PRODUCT_BITS));
        let note = m.input("note", bit());
        let note_row = m.input("note_row", uint(32)).trunc(row_bits);
        rows.write(note_row, m.input("note_products", count).as_bits(), note);

        // Learning, a row at a time: its products, class and ratio, the product, the change, the new ratio; then classes above it.
        let steps: Vec<_> = (0..6).map(|i| m.state(&format!("step_{i}"), bit(), 0)).collect();
        let spread = m.state("spread", bit(), 0);
        let clearing = m.state("clearing", bit(), 0);
        let busy = rtl_gen::any(&steps.iter().map(|s| s.q()).collect::<Vec<_>>());
        let take =
            all(&[m.input("learn", bit()), !busy, !spread.q(), !clearing.q(), !note, !reset])
                .named("take");
        let entries = m.input("learn_entries", uint(32));
        let large = entries.shr_k(PRODUCT_BITS).red_or();
        let entries = mux(
            large,
            entries.trunc(PRODUCT_BITS).lit((1 << PRODUCT_BITS) - 1),
            entries.trunc(PRODUCT_BITS),
        );
        let entries = m.reg_when("entries", take, entries);
        let row = m.input("learn_row", uint(32)).trunc(row_bits);
        let products = rows.read("row_products", row, take).as_u();
        let known = steps[1].q() & products.ne(products.lit(0));
        let products = m.reg_when("products_2", steps[0].q(), products);
        let my_class = m.reg_when("row_class", steps[1].q(), class(m, products));
        let ratio = ratios.read_async("ratio", my_class).as_u();
        let ratio_3 = m.reg_when("ratio_3", steps[2].q(), ratio);
        let guess = m.reg_when("guess", steps[2].q(), products * ratio);
        let wide = sint(PRODUCT_BITS + RATIO + 2);
        let seen_now = cat(&[entries.as_bits(), m.lit(bits(RATIO), 0)]).as_u();
        let error = m.reg_when(
            "error",
            steps[3].q(),
            seen_now
                .zext(wide.width())
                .as_type(wide)
                .sub_wrap(guess.zext(wide.width()).as_type(wide)),
        );
        let seen = m.state("seen", bits(32), 0);
        let first = !seen.q().dyn_lane(my_class, 1).bit(0);
        let less = error.msb();
        let shift = my_class.zext(6).add_wrap(mux(
            first,
            m.lit(uint(6), 1),
            mux(less, m.lit(uint(6), 4), m.lit(uint(6), 2)),
        ));
        let change = m.reg_when("change", steps[4].q(), error.sra(shift));
        let moved = ratio_3.zext(wide.width()).as_type(wide).add_wrap(change);
        let high = !moved.msb() & moved.slice(wide.width() - 2, RATIO).red_or();
        let clamped = mux(
            moved.msb(),
            m.lit(ratio_ty, 0),
            mux(high, full, moved.trunc(RATIO).as_type(ratio_ty)),
        );
        let write = steps[5].q();
        for (i, step) in steps.iter().enumerate() {
            let before = match i {
                0 => take,
                2 => known,
                _ => steps[i - 1].q(),
            };
            step.drive(before & !reset);
        }

        // The classes above that have no rows of their own.
        let at = m.state("at", class_ty, 0);
        let value = m.state("value", ratio_ty, 0);
        let next = value
            .q()
            .sub_wrap(value.q().shr_k(2).zext(RATIO))
            .add_wrap(value.q().shr_k(4).zext(RATIO));
        let own = seen.q().dyn_lane(at.q(), 1).bit(0);
        let spreads = (spread.q() & !own).named("spreads");
        spread.drive((write | (spreads & !at.q().red_and())) & !reset);
        clearing.drive(reset | (clearing.q() & !at.q().red_and()));
        at.update(&[
            (reset, at.q().lit(0)),
            (write, my_class.inc()),
            (spread.q() | clearing.q(), at.q().inc()),
        ]);
        value.update(&[(write, clamped), (spread.q(), next)]);
        let mine = m.lit(bits(32), 1).shl(my_class);
        seen.update(&[(reset, seen.q().lit(0)), (write, seen.q() | mine)]);
        let to = mux(write, my_class, at.q());
        let stored = mux(clearing.q(), full, mux(write, clamped, next));
        ratios.write(to, stored.as_bits(), clearing.q() | write | spreads);
    }
}

/// Index of the highest bit set.
fn class<'m>(m: &'m Builder, n: Sig<'m>) -> Sig<'m> {
    let flags: Vec<Sig> = (0..PRODUCT_BITS).rev().map(|i| n.as_bits().bit(i)).collect();
    let arms: Vec<_> = (priority(&flags).into_iter().enumerate())
        .map(|(i, flag)| (flag, m.lit(uint(5), (PRODUCT_BITS - 1) as i128 - i as i128)))
        .collect();
    one_hot_mux(&arms)
}
