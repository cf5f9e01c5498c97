//! Command registers of what joins a sparse product: a mask, an addend, and which results stay.

use super::table::registers;

registers! {
    "join" at 0x3400 size 0x0400
    "Rows of other matrices that join the products of each row of the SpGEMM engine, on cards built for it: D = C0 (+) A * B at the entries of M. Both matrices are split CSR like A, of C's shape. Writes are ignored while SPGEMM.STATUS.BUSY is set."

    STEPS 0x000 Rw "What is done; 0 is a plain product. Bits the card was not built for mean nothing." {
        MASK 0 1 "Only entries where the mask has one leave."
        COMPLEMENT 1 1 "Those where it has none; with MASK."
        BY_VALUE 2 1 "An entry of the mask whose value is the word 0 counts as none; with MASK, and with values of 32 bits."
        ACCUMULATE 3 1 "The addend's entries are added like products; with values of 32 bits."
        PRUNE 4 1 "Entries that are zero do not leave."
    }
    NNZ_MASK 0x004 Rw "Entries of the mask: what its last row pointer must be." {
        COUNT 0 32 "Entries."
    }
    NNZ_ADDEND 0x008 Rw "Entries of the addend: what its last row pointer must be." {
        COUNT 0 32 "Entries."
    }
    MASK_PTR_LO 0x010 Rw "Bus address of the mask's row pointers (ROWS + 1 words), low half." {
        ADDRESS 0 32 "Bits 31:0."
    }
    MASK_PTR_HI 0x014 Rw "Bus address of the mask's row pointers, high half." {
        ADDRESS 0 32 "Bits 63:32."
    }
    MASK_COL_LO 0x018 Rw "Bus address of the mask's columns, low half." {
        ADDRESS 0 32 "Bits 31:0."
    }
    MASK_COL_HI 0x01c Rw "Bus address of the mask's columns, high half." {
        ADDRESS 0 32 "Bits 63:32."
    }
    MASK_VAL_LO 0x020 Rw "Bus address of the mask's values, low half. They are read in any case; without BY_VALUE they mean nothing, and the columns will do." {
        ADDRESS 0 32 "Bits 31:0."
    }
    MASK_VAL_HI 0x024 Rw "Bus address of the mask's values, high half." {
        ADDRESS 0 32 "Bits 63:32."
    }
    ADDEND_PTR_LO 0x028 Rw "Bus address of the addend's row pointers (ROWS + 1 words), low half." {
        ADDRESS 0 32 "Bits 31:0."
    }
    ADDEND_PTR_HI 0x02c Rw "Bus address of the addend's row pointers, high half." {
        ADDRESS 0 32 "Bits 63:32."
    }
    ADDEND_COL_LO 0x030 Rw "Bus address of the addend's columns, low half." {
        ADDRESS 0 32 "Bits 31:0."
    }
    ADDEND_COL_HI 0x034 Rw "Bus address of the addend's columns, high half." {
        ADDRESS 0 32 "Bits 63:32."
    }
    ADDEND_VAL_LO 0x038 Rw "Bus address of the addend's values, low half." {
        ADDRESS 0 32 "Bits 31:0."
    }
    ADDEND_VAL_HI 0x03c Rw "Bus address of the addend's values, high half." {
        ADDRESS 0 32 "Bits 63:32."
    }
}
