//! Writes the Verilog of an array of 8 x 8 multipliers, for `cargo xtask timing`:
//! `cargo run -p mattock-hw --example pe_array -- ARRAY PE FOLDER [SIDE BITS]`; with small leaves in cells of ECP5.

use mattock_hw::cells::ECP5;
use mattock_hw::gemm::Array;
use mattock_hw::pe::{PE_VARIANTS, PeShape, variant};
use mattock_spec::config::ArrayKind;
use rtl_gen::{Design, Module};
use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let mut word = |what: &str| args.next().ok_or(what.to_owned());
    let (array, name, folder) = (word("ARRAY")?, word("PE")?, word("FOLDER")?);
    let kind = ArrayKind::ALL.iter().find(|(name, _)| *name == array);
    let (_, kind) = kind.ok_or_else(|| format!("{array}: one of {:?}", ArrayKind::ALL))?;
    let pe = variant(&name).ok_or_else(|| format!("{name}: one of {PE_VARIANTS:?}"))?;
    let mut number = |default| args.next().map_or(Ok(default), |n| n.parse());
    let array = Array::of_side(*kind, number(8)?, pe, PeShape::int(number(8)?));
    std::fs::create_dir_all(&folder)?;
    for file in Design::elaborate(&array)?.verilog_for(ECP5) {
        std::fs::write(Path::new(&folder).join(file.name), file.text)?;
    }
    println!("{}", array.name());
    Ok(())
}
