//! Where the matrices of the products lie.

use super::List;
use crate::gemm::geometry::Geometry;
use rtl_gen::{Builder, Module, bit, bits, uint};

/// Addresses of A, B and D of product after product: at equal distances, or from a list in memory.
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `start`, `stop` | in | bit | begin with the first product; drop what is left |
/// | `listed`, `products`, `list` | in | bit, uint(32), uint | of the command: addresses are entries of a [`List`] there |
/// | `base_{a,b,d}`, `next_{a,b,d}` | in | uint | otherwise: of the first product, bytes from one to the next |
/// | `d_size` | in | uint(2) | log2 of the bytes of an element of D |
/// | `swapped` | in | bit | a is the B of the list's entries, and the reverse |
/// | `unread` | in | bit | K is 0: nobody asks for A and B |
/// | `{a,b,d}`, `{a,b,d}_there` | out | uint, bit | the address of the next product not taken, and whether it is known |
/// | `{a,b,d}_take` | in | bit | on to the one after it |
/// | `cmd_*`, `beat_*`, `bad`, `bad_index` | | | of the [`List`] |
/// | `active` | out | bit | entries are still to come or to be taken |
///
/// One product a cycle of each. D is taken at most one product before A and B are.
#[derive(Clone, Copy, Debug)]
pub struct Bases {
    /// The engine's sizes.
    pub geometry: Geometry,
}

impl Module for Bases {
    fn name(&self) -> String {
        format!("gemm_bases_{}", self.geometry.suffix())
    }

    fn build(&self, m: &Builder) {
        m.doc("Addresses of the matrices of product after product.");
        let g = self.geometry;
        let address = uint(g.addr_bits);
        let (start, stop) = (m.input("start", bit()), m.input("stop", bit()));
        let (listed, unread) = (m.input("listed", bit()), m.input("unread", bit()));
        let list = m.inst("entries", &List { geometry: g });
        list.set("start", start & listed)
            .set("stop", stop)
            .set("products", m.input("products", uint(32)))
            .set("list", m.input("list", address));
        for (name, ty) in [
            ("d_size", uint(2)),
            ("cmd_ready", bit()),
            ("beat_valid", bit()),
            ("beat_data", bits(8 * g.bus_bytes)),
        ] {
            list.set(name, m.input(name, ty));
        }
        for name in ["cmd_valid", "cmd_addr", "cmd_beats", "beat_ready", "bad", "bad_index"] {
            m.output(name, list.get(name));
        }
        let swapped = m.input("swapped", bit());
        let takes = ["a", "b", "d"].map(|name| m.input(&format!("{name}_take"), bit()));
        for (i, name) in ["a", "b", "d"].into_iter().enumerate() {
            let at = m.reg_decl(&format!("{name}_at"), address);
            let base = m.input(&format!("base_{name}"), address);
            let next = m.input(&format!("next_{name}"), uint(g.stride_bits()));
            let moved = at.q().add_wrap(next.resize(g.addr_bits));
            at.update(&[(start, base), (takes[i], moved)]);
            // The list tells A before B, also where they have changed sides.
            let other = [1, 0, 2][i];
            let taken = swapped.mux(takes[other], takes[i]);
            let dropped = if name == "d" { stop } else { stop | unread };
            list.set(&format!("{name}_take"), taken | dropped);
            let entry = |what: &str| {
                let of = |i: usize| list.get(&format!("{}{what}", ["a", "b", "d"][i]));
                swapped.mux(of(other), of(i))
            };
            m.output(name, listed.mux(entry(""), at.q()));
            m.output(&format!("{name}_there"), !listed | entry("_there"));
        }
        m.output("active", list.get("active"));
    }
}
