//! What only the card's own processor sees: the ring entry it has to judge next.

use super::table::registers;

/// Address at which the processor sees BAR0.
pub const BAR0_BASE: u32 = 0x4000_0000;
/// Address at which the processor sees the ring entry it has to judge next.
pub const ENTRY_BASE: u32 = 0x8000_0000;
/// Address of that entry's parameter block.
pub const BLOCK_BASE: u32 = ENTRY_BASE + 0x200;

registers! {
    "local" at 0xffff_f800 size 0x0400
    "Registers of the processor itself; not in BAR0. They lie where one instruction reaches them."

    STATUS 0x00 Ro "What there is to do." {
        READY 0 1 "A ring entry and its parameter block lie in their windows."
        TAIL 1 1 "Some of the entry's reserved bytes 32 to 63 are not 0."
        GEMM_ARMED 2 1 "The GEMM engine has a command waiting: its registers are taken."
        SPGEMM_ARMED 3 1 "The SpGEMM engine has a command waiting: its registers are taken."
        FETCH 8 8 "Error code of the parameter block's fetch; 0 is none."
    }
    ANSWER 0x04 Wo "Answers the entry: writes its completion record and makes room for the next entry." {
        CODE 0 8 "Error code; the detail is what ANSWER_INFO holds."
    }
    ANSWER_INFO 0x08 Rw "Detail of the error; must be 0 when the code is 0." {
        INFO 0 32 "Detail."
    }
    ALIVE 0x0c Wo "A sign of life, as answering or starting an entry is." {
        GO 0 1 "Write 1."
    }
    PROGRAM 0x10 Rw "What CONTROLLER.PROGRAM shows." {
        VERSION 0 32 "Version of the program."
    }
    DENSE 0x14 Ro "The parameter block at a glance, read as one of a dense product." {
        WIDE 0 1 "A dimension or stride is 2^16 or more."
        SET 1 1 "A reserved word is not 0."
        LOW 8 8 "Bits 7:0 of addresses and strides, all ORed."
    }
    DENSE_HIGH 0x18 Ro "The upper halves of its addresses, ORed." {
        ADDRESSES 0 32 "At least as large as the largest of them."
    }
}
