//! Command registers of the dense engine's batches.

use super::table::registers;

registers! {
    "batch" at 0x3800 size 0x0400
    "Many products as one command of the GEMM engine, on cards built for it: all have the shape and the types, strides and layouts of rows that the GEMM registers say, and each its own matrices. Writes are ignored while GEMM.STATUS.BUSY is set."

    MANY 0x000 Rw "Whether a command is many products, and where their matrices lie." {
        ENABLE 0 1 "START begins PRODUCTS products; otherwise one. All four steps of GEMM.MODE must be set, and each operand must be one block: half a scratchpad."
        LISTED 1 1 "Addresses come from a list in memory; otherwise GEMM.A, B and D are those of the first product, and the next are A_NEXT, B_NEXT and D_NEXT bytes further each."
    }
    PRODUCTS 0x004 Rw "Products of the command; 0 does nothing." {
        COUNT 0 32 "Products."
    }
    A_NEXT 0x008 Rw "Bytes from A of one product to that of the next." {
        BYTES 0 32 "0: all have the same A."
    }
    B_NEXT 0x00c Rw "Bytes from B of one product to that of the next." {
        BYTES 0 32 "0: all have the same B."
    }
    D_NEXT 0x010 Rw "Bytes from D of one product to that of the next; a multiple of an element's." {
        BYTES 0 32 "No two may overlap."
    }
    LIST_LO 0x018 Rw "Bus address of the list, low half; a multiple of 64. An entry is 32 bytes: the addresses of A, B and D, 8 bytes each, and 8 bytes of 0. A wrong one ends the command with BAD_ENTRY." {
        ADDRESS 0 32 "Bits 31:0."
    }
    LIST_HI 0x01c Rw "Bus address of the list, high half." {
        ADDRESS 0 32 "Bits 63:32."
    }
}
