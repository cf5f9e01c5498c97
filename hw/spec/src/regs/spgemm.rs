//! Command registers and counters of the SpGEMM engine.

use super::table::registers;

registers! {
    "spgemm" at 0x2000 size 0x1000
    "SpGEMM engine: C = A * B, all in split CSR with 32-bit row pointers and 32-bit columns that rise within a row, indices from 0. Values of A and B lie packed, those of C take 32 bits. Every array begins at a multiple of the capability's ALIGN. Writes to other registers than START are ignored while STATUS.BUSY is set. Counters hold the last command's totals and are cleared by START. Of addresses the card keeps as many bits as the capability list's ADDRESS_BITS; those above read as 0."

    START 0x000 Wo "Starts the command described by the other registers." {
        GO 0 1 "Write 1. STATUS.BUSY (or DONE) is set before the write is answered. Ignored while BUSY."
    }
    STATUS 0x004 Ro "State of the engine." {
        BUSY 0 1 "A command is running."
        DONE 1 1 "The last command ended; cleared by START."
        ERROR 8 8 "Error code of the last command; 0 is none."
    }
    ERROR_INFO 0x008 Ro "Detail of the last error; its meaning is told with the error code." {
        INFO 0 32 "Detail."
    }
    MODE 0x00c Rw "What to compute." {
        VALUE 0 4 "Type of the values of A and B, by its number in the table of value types; 0 is i32."
        SEMIRING 4 4 "What stands for multiplication and addition, by its number in the table of semirings; 0 is plus-times."
        ORDERED 8 1 "Products of an entry are added by rising k, one rounding each, so that a sum of floats is the same whatever the timing. Of cards built for it."
    }
    ROWS 0x010 Rw "Rows of A and C; 0 is an empty product." {
        COUNT 0 32 "Rows."
    }
    INNER 0x014 Rw "Columns of A and rows of B." {
        COUNT 0 32 "Rows of B."
    }
    COLS 0x018 Rw "Columns of B and C; at most 2^INDEX_BITS." {
        COUNT 0 32 "Columns."
    }
    SEED 0x01c Rw "Seed of the table hash; any value gives the same C, some are slower." {
        VALUE 0 32 "The configuration's seed after reset."
    }
    NNZ_A 0x020 Rw "Entries of A: what its last row pointer must be." {
        COUNT 0 32 "Entries."
    }
    NNZ_B 0x024 Rw "Entries of B: what its last row pointer must be." {
        COUNT 0 32 "Entries."
    }
    C_CAPACITY 0x028 Rw "Entries the column and value arrays of C can hold." {
        COUNT 0 32 "Entries. A larger C ends with C_CAPACITY_EXCEEDED; nothing is written past it."
    }
    A_PTR_LO 0x040 Rw "Bus address of A's row pointers (ROWS + 1 words), low half." {
        ADDRESS 0 32 "Bits 31:0."
    }
    A_PTR_HI 0x044 Rw "Bus address of A's row pointers, high half." {
        ADDRESS 0 32 "Bits 63:32."
    }
    A_COL_LO 0x048 Rw "Bus address of A's columns, low half." {
        ADDRESS 0 32 "Bits 31:0."
    }
    A_COL_HI 0x04c Rw "Bus address of A's columns, high half." {
        ADDRESS 0 32 "Bits 63:32."
    }
    A_VAL_LO 0x050 Rw "Bus address of A's values, low half." {
        ADDRESS 0 32 "Bits 31:0."
    }
    A_VAL_HI 0x054 Rw "Bus address of A's values, high half." {
        ADDRESS 0 32 "Bits 63:32."
    }
    B_PTR_LO 0x058 Rw "Bus address of B's row pointers (INNER + 1 words), low half." {
        ADDRESS 0 32 "Bits 31:0."
    }
    B_PTR_HI 0x05c Rw "Bus address of B's row pointers, high half." {
        ADDRESS 0 32 "Bits 63:32."
    }
    B_COL_LO 0x060 Rw "Bus address of B's columns, low half." {
        ADDRESS 0 32 "Bits 31:0."
    }
    B_COL_HI 0x064 Rw "Bus address of B's columns, high half." {
        ADDRESS 0 32 "Bits 63:32."
    }
    B_VAL_LO 0x068 Rw "Bus address of B's values, low half." {
        ADDRESS 0 32 "Bits 31:0."
    }
    B_VAL_HI 0x06c Rw "Bus address of B's values, high half." {
        ADDRESS 0 32 "Bits 63:32."
    }
    C_PTR_LO 0x070 Rw "Bus address of where the card writes C's row pointers (ROWS + 1 words), low half." {
        ADDRESS 0 32 "Bits 31:0."
    }
    C_PTR_HI 0x074 Rw "Bus address of C's row pointers, high half." {
        ADDRESS 0 32 "Bits 63:32."
    }
    C_COL_LO 0x078 Rw "Bus address of where the card writes C's columns, low half." {
        ADDRESS 0 32 "Bits 31:0."
    }
    C_COL_HI 0x07c Rw "Bus address of C's columns, high half." {
        ADDRESS 0 32 "Bits 63:32."
    }
    C_VAL_LO 0x080 Rw "Bus address of where the card writes C's values, low half." {
        ADDRESS 0 32 "Bits 31:0."
    }
    C_VAL_HI 0x084 Rw "Bus address of C's values, high half." {
        ADDRESS 0 32 "Bits 63:32."
    }
    PART_TABLE_LO 0x088 Rw "Bus address of the table of parts, low half." {
        ADDRESS 0 32 "Bits 31:0."
    }
    PART_TABLE_HI 0x08c Rw "Bus address of the table of parts, high half." {
        ADDRESS 0 32 "Bits 63:32."
    }
    PARTS 0x090 Rw "Parts that the clusters share, in the order of the table; 0: one cluster works on the whole product. Ignored by an engine of one cluster." {
        COUNT 0 32 "Parts of 32 bytes."
    }
    CYCLES_LO 0x100 Ro "Clock cycles from START to the last write response, low half." {
        COUNT 0 32 "Bits 31:0."
    }
    CYCLES_HI 0x104 Ro "Clock cycles of the command, high half." {
        COUNT 0 32 "Bits 63:32."
    }
    PRODUCTS_LO 0x108 Ro "Products merged into C, each counted once however often it was recomputed, low half." {
        COUNT 0 32 "Bits 31:0."
    }
    PRODUCTS_HI 0x10c Ro "Products, high half." {
        COUNT 0 32 "Bits 63:32."
    }
    BYTES_READ_LO 0x110 Ro "Read data beats times the bus width, low half." {
        COUNT 0 32 "Bits 31:0."
    }
    BYTES_READ_HI 0x114 Ro "Bytes read, high half." {
        COUNT 0 32 "Bits 63:32."
    }
    BYTES_WRITTEN_LO 0x118 Ro "Write data beats times the bus width, low half." {
        COUNT 0 32 "Bits 31:0."
    }
    BYTES_WRITTEN_HI 0x11c Ro "Bytes written, high half." {
        COUNT 0 32 "Bits 63:32."
    }
    NNZ_C 0x120 Ro "Entries of C." {
        COUNT 0 32 "Stays at its largest value rather than wrap."
    }
    WINDOWS 0x124 Ro "Table halves drained." {
        COUNT 0 32 "Stays at its largest value rather than wrap."
    }
    SPILLS 0x128 Ro "Products that went through the spill path because their bank was full." {
        COUNT 0 32 "Stays at its largest value rather than wrap."
    }
    RESTARTS 0x12c Ro "Row segments computed again after a window overflowed." {
        COUNT 0 32 "Stays at its largest value rather than wrap."
    }
    HAZARD_STALLS 0x130 Ro "Cycles, summed over the banks, in which a product waited for another one of its entry; 0 without MODE.ORDERED." {
        COUNT 0 32 "Stays at its largest value rather than wrap."
    }
    CACHE_HITS 0x134 Ro "Line requests the B cache answered itself." {
        COUNT 0 32 "Stays at its largest value rather than wrap."
    }
    CACHE_MISSES 0x138 Ro "Line requests the B cache fetched from memory." {
        COUNT 0 32 "Stays at its largest value rather than wrap."
    }
}
