//! Writes the Verilog of an 8 x 8 systolic array of one PE variant, for `cargo xtask timing`:
//! `cargo run -p mattock-hw --example pe_array -- VARIANT FOLDER [ROWS COLS]`; with small leaves in cells of ECP5.

use mattock_hw::cells::ECP5;
use mattock_hw::gemm::Array;
use mattock_hw::pe::{PE_VARIANTS, PeShape, variant};
use rtl_gen::{Design, Module};
use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let (name, folder) = args.next().zip(args.next()).ok_or("VARIANT and FOLDER")?;
    let pe = variant(&name).ok_or_else(|| format!("{name}: one of {PE_VARIANTS:?}"))?;
    let mut side = || args.next().map_or(Ok(8), |n| n.parse());
    let array = Array { rows: side()?, cols: side()?, pe, shape: PeShape::INT8, k_split: 1 };
    std::fs::create_dir_all(&folder)?;
    for file in Design::elaborate(&array)?.verilog_for(ECP5) {
        std::fs::write(Path::new(&folder).join(file.name), file.text)?;
    }
    println!("{}", array.name());
    Ok(())
}
