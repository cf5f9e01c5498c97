//! Exact cell counts of small leaves: what makes one larger shows at once.

use fpga_boards::measure::Mapping;
use mattock_hw::pe::{DspPacked, IntMac, PeShape, Rows};
use rtl_gen::{Design, Module};

use super::super::mapped::Mapped;
use crate::output::Output;

#[test]
fn processing_elements_keep_their_area() {
    let (int8, int4) = (PeShape::INT8, PeShape::int(4));
    let leaves: [(Box<dyn Module>, Mapping); 5] = [
        (Box::new(Rows { shape: int8 }), Mapping::Ecp5),
        (Box::new(Rows { shape: int4 }), Mapping::Ecp5),
        (Box::new(IntMac { shape: int8 }), Mapping::Ecp5),
        (Box::new(DspPacked { shape: int4 }), Mapping::Ecp5),
        (Box::new(Rows { shape: int4 }), Mapping::UltrascalePlusLuts),
    ];
    let output = Output { json: false, quiet: true };
    let counts: Vec<String> = leaves
        .iter()
        .map(|(leaf, mapping)| {
            let design = Design::elaborate(leaf.as_ref()).expect("elaborates");
            let area = Mapped::new(&design, *mapping, output).and_then(|mapped| mapped.area());
            let area = area.unwrap_or_else(|failure| panic!("{}", failure.text()));
            let (lut, ff, dsp) = (area.lut, area.ff, area.dsp);
            format!("{} on {}: {lut} LUT, {ff} FF, {dsp} DSP", leaf.name(), mapping.part())
        })
        .collect();
    insta::assert_snapshot!(counts.join("\n"));
}
