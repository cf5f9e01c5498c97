//! Block sizes against the rule they follow, and geometries that cannot be built.

use crate::gemm::{GemmEngine, Geometry, Plan, Scratchpad};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rtl_gen::{Design, Interpreter, Module};

/// Most rows, a multiple of the window, whose groups of lanes fit `half` words, but no more than needed.
fn block(total: u64, window: u64, half: u64, pitch: u64) -> u64 {
    let lanes = u64::from(Scratchpad::panel_for(window as u32));
    let fit = half / pitch * lanes / window * window;
    fit.min(total.div_ceil(window) * window)
}

#[test]
fn blocks_fill_half_a_scratchpad() {
    for (rows, cols) in [(4, 4), (3, 5), (8, 2), (1, 16)] {
        let geometry = Geometry { a_bytes: 1024, b_bytes: 2048, ..Geometry::new(rows, cols) };
        let design = Design::elaborate(&Plan { geometry }).expect("elaborates");
        let streamed = |int4| {
            let beat = geometry.bus_bytes * if int4 { 2 } else { 1 };
            u64::from(cols * (beat / cols).max(1))
        };
        let mut sim = Interpreter::new(&design).expect("simulates");
        let mut rng = StdRng::seed_from_u64(u64::from(rows));
        sim.set("rst", 1);
        sim.set("start", 0);
        sim.tick();
        sim.set("rst", 0);
        for _ in 0..200 {
            let largest = [20, 300, 3000, 100_000][rng.random_range(0..4)];
            let mut size = || rng.random_range(1..=largest);
            let (m, n, k) = (size(), size(), size());
            let int4 = m % 2 == 1;
            for (port, value) in
                [("m", m), ("n", n), ("k", k), ("b_size", (!int4).into()), ("start", 1)]
            {
                sim.set(port, value);
            }
            sim.tick();
            sim.set("start", 0);
            let mut limit = 2000;
            while sim.get("done") == 0 {
                sim.tick();
                limit -= 1;
                assert!(limit > 0, "{m} {n} {k}: no plan");
            }
            let half = |bytes: u32, window| u64::from(bytes / Scratchpad::panel_for(window) / 2);
            let (a_half, b_half) = (half(1024, rows), half(2048, cols));
            let most = a_half.min(b_half);
            let step = Scratchpad::panel_for(rows).max(Scratchpad::panel_for(cols)).into();
            let chunked = k > most;
            let unit = u64::from(geometry.chunk_step());
            let equal = k.div_ceil(unit).div_ceil(k.div_ceil(most)) * unit;
            let k_block = if chunked { equal } else { k };
            assert!(k_block <= most && k.div_ceil(k_block) <= k.div_ceil(most), "{k}");
            let pitch = k_block.next_multiple_of(step);
            let (rows, cols) = (u64::from(rows), u64::from(cols));
            let (m_block, n_block) = match chunked {
                true => (rows, cols),
                false => (block(m, rows, a_half, pitch), block(n, cols, b_half, pitch)),
            };
            let hold = |total, block| match chunked {
                true => total <= block && k <= 2 * most,
                false => total <= 2 * block,
            };
            let (hold_a, hold_b) = (hold(m, m_block), hold(n, n_block));
            let n_block = if hold_b { n_block } else { n_block.min(streamed(int4)) };
            let want = [
                ("chunked", chunked.into()),
                ("k_block", k_block),
                ("pitch", pitch),
                ("m_block", m_block),
                ("n_block", n_block),
                ("hold_a", hold_a.into()),
                ("hold_b", hold_b.into()),
            ];
            for (port, value) in want {
                assert_eq!(sim.get(port), value, "{port} of {m} {n} {k} on {rows}x{cols}");
            }
        }
    }
}

#[test]
fn geometries_that_cannot_be_built() {
    let good = Geometry::new(8, 8);
    let bad = [
        Geometry { rows: 0, ..good },
        Geometry { cols: 257, ..good },
        Geometry { bus_bytes: 24, ..good },
        Geometry { addr_bits: 15, ..good },
        Geometry { batch: true, near: Some(65536), ..good },
        Geometry { batch: true, bus_bytes: 4, ..good },
        Geometry { a_bytes: 3000, ..good },
        Geometry { b_bytes: 64, ..good },
        Geometry { result_bytes: 256, ..good },
    ];
    let text: Vec<String> =
        bad.iter().map(|&geometry| GemmEngine { geometry }.check().expect_err("refused")).collect();
    insta::assert_snapshot!(text.join("\n"));
}
