//! Writes the Verilog of the reference merge core into a folder, for lint and timing:
//!
//! ```text
//! cargo run -p mattock-hw --example merge_core -- target/merge_core
//! cargo xtask timing --dir target/merge_core --top bank_n16_w4_t4096_c32_r8_a6 --freq 100
//! ```

use mattock_hw::spgemm::merge::{Algebra, MergeCore};
use mattock_spec::config::HashKind;
use mattock_spec::semiring::SEMIRINGS;
use rtl_gen::Design;
use std::error::Error;
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn Error>> {
    let folder =
        PathBuf::from(std::env::args().nth(1).ok_or("usage: merge_core FOLDER [joins|ordered]")?);
    let what = std::env::args().nth(2).unwrap_or_default();
    let joins = what == "joins";
    let core = MergeCore {
        lanes: 4,
        banks: 16,
        ways: 4,
        entries_per_half: 4096,
        hash: HashKind::Multiplicative,
        index_bits: 32,
        row_bits: 8,
        look_ahead: 8,
        adder_latency: 6,
        sorter_width: 4,
        algebra: Algebra::of(SEMIRINGS),
        joins,
        masks: joins,
        ordered: what == "ordered",
    };
    std::fs::create_dir_all(&folder)?;
    for file in Design::elaborate(&core)?.verilog() {
        std::fs::write(folder.join(&file.name).with_extension("v"), file.text)?;
    }
    Ok(())
}
