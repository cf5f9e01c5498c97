//! The processor core: PicoRV32 (ISC licence), from the Python package `pythondata-cpu-picorv32`.

use mattock_spec::regs::controller::MEMORY_BYTES;
use rtl_gen::ir::Direction::{Input, Output};
use rtl_gen::{BlackBox, Type, bit, bits};
use std::rc::Rc;

/// Verilog name of the core; its text is the file `picorv32.v` of the package.
pub const PICORV32: &str = "picorv32";

/// RV32IMC with a fast multiplier, a divider and a barrel shifter, without counters and interrupts. It begins at
/// address 0 with its stack at the end of the memory.
pub(super) fn picorv32() -> Rc<BlackBox> {
    let parameters = [
        ("ENABLE_COUNTERS", "0"),
        ("ENABLE_COUNTERS64", "0"),
        ("TWO_STAGE_SHIFT", "0"),
        ("BARREL_SHIFTER", "1"),
        ("COMPRESSED_ISA", "1"),
        ("ENABLE_FAST_MUL", "1"),
        ("ENABLE_DIV", "1"),
        ("PROGADDR_RESET", "32'h0000_0000"),
    ];
    let mut parameters: Vec<(String, String)> =
        parameters.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    parameters.push(("STACKADDR".into(), format!("32'h{MEMORY_BYTES:08x}")));
    let word = bits(32);
    let ports = [
        ("clk", Input, Type::Clock),
        ("resetn", Input, bit()),
        ("trap", Output, bit()),
        ("mem_valid", Output, bit()),
        ("mem_instr", Output, bit()),
        ("mem_ready", Input, bit()),
        ("mem_addr", Output, word),
        ("mem_wdata", Output, word),
        ("mem_wstrb", Output, bits(4)),
        ("mem_rdata", Input, word),
        ("mem_la_read", Output, bit()),
        ("mem_la_write", Output, bit()),
        ("mem_la_addr", Output, word),
        ("mem_la_wdata", Output, word),
        ("mem_la_wstrb", Output, bits(4)),
        ("pcpi_valid", Output, bit()),
        ("pcpi_insn", Output, word),
        ("pcpi_rs1", Output, word),
        ("pcpi_rs2", Output, word),
        ("pcpi_wr", Input, bit()),
        ("pcpi_rd", Input, word),
        ("pcpi_wait", Input, bit()),
        ("pcpi_ready", Input, bit()),
        ("irq", Input, word),
        ("eoi", Output, word),
        ("trace_valid", Output, bit()),
        ("trace_data", Output, bits(36)),
    ];
    Rc::new(BlackBox {
        name: PICORV32.into(),
        parameters,
        ports: ports.iter().map(|(n, d, t)| ((*n).to_owned(), *d, *t)).collect(),
        // Or from inputs that here follow no output: `resetn` and, as the core knows the length of an instruction only
        // when it has it, `mem_ready` and `mem_rdata`.
        registered_outputs: true,
        model: None,
        simulation_text: None,
    })
}
