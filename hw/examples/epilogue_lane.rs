//! Writes the Verilog of one column's epilogue, for `cargo xtask lint` and `cargo xtask timing`:
//! `cargo run -p mattock-hw --example epilogue_lane -- FOLDER [leaky] [table]`.

use mattock_hw::gemm::EpilogueLane;
use rtl_gen::{Design, Module};
use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let folder = args.next().ok_or("FOLDER")?;
    let words: Vec<String> = args.collect();
    let lane = EpilogueLane {
        leaky: words.contains(&"leaky".into()),
        table: words.contains(&"table".into()),
    };
    std::fs::create_dir_all(&folder)?;
    for file in Design::elaborate(&lane)?.verilog() {
        std::fs::write(Path::new(&folder).join(file.name), file.text)?;
    }
    println!("{}", lane.name());
    Ok(())
}
