//! From a design to what `fpga-boards` estimates area and clock rate by.

use fpga_boards::fit::cost::DELAYS;
use fpga_boards::fit::{Demand, MemoryDemand};
use rtl_gen::{Census, Delays, Design, MemoryKind};

/// What a design is made of.
pub(crate) fn demand(design: &Design) -> Demand {
    let [level, carry, product, register, block_ram] = DELAYS;
    let delays = Delays { level, carry, product, register, block_ram };
    Demand { path_ns: design.longest_path(&delays), ..counted(&design.census()) }
}

/// What was counted of a design or a module.
pub(crate) fn counted(census: &Census) -> Demand {
    let memories = census.memories.iter().map(|(&(depth, width, kind, reads), &count)| {
        MemoryDemand { depth, width, block: kind == MemoryKind::Block, reads, count }
    });
    Demand {
        flip_flops: census.flip_flops,
        operations: census.operations.to_vec(),
        path_ns: 0.0,
        memories: memories.collect(),
        products: census.products.iter().map(|(&(a, b), &count)| (a, b, count)).collect(),
    }
}
