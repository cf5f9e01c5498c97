//! Command registers and counters of the GEMM engine.

use super::table::registers;

registers! {
    "gemm" at 0x1000 size 0x1000
    "GEMM engine: D = A * B with A of M x K, B of K x N and D of M x N. Writes to other registers than START are ignored while STATUS.BUSY is set. Counters hold the last command's totals and are cleared by START. Of addresses the card keeps as many bits as the capability list's ADDRESS_BITS; those above read as 0."

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
    MODE 0x00c Rw "What to compute and which steps to run." {
        TUPLE 0 8 "Index into the tuple list of the GEMM capability."
        A_COL_MAJOR 8 1 "A lies in memory column by column; otherwise row by row."
        B_COL_MAJOR 9 1 "B lies in memory column by column."
        D_COL_MAJOR 10 1 "D is written column by column."
        ROUNDING 11 3 "Of float results: 0 to nearest, ties to even; 1 toward zero; 2 up; 3 down; 4 to nearest, ties away from zero."
        SATURATE 14 1 "Infinite float results become the largest finite number of their sign."
        LOAD_A 16 1 "Read A from memory; otherwise the A scratchpad still holds it."
        LOAD_B 17 1 "Read B from memory; otherwise the B scratchpad still holds it."
        COMPUTE 18 1 "Multiply; otherwise only load or store."
        STORE 19 1 "Write D to memory; otherwise it stays in the result buffer."
    }
    M 0x010 Rw "Rows of A and D; 0 is an empty product." {
        COUNT 0 32 "Rows."
    }
    N 0x014 Rw "Columns of B and D; 0 is an empty product." {
        COUNT 0 32 "Columns."
    }
    K 0x018 Rw "Columns of A and rows of B; 0 makes D all zero." {
        COUNT 0 32 "Depth."
    }
    A_LO 0x020 Rw "Bus address of A's first element, low half; a multiple of the capability's ALIGN." {
        ADDRESS 0 32 "Bits 31:0."
    }
    A_HI 0x024 Rw "Bus address of A, high half." {
        ADDRESS 0 32 "Bits 63:32."
    }
    A_STRIDE 0x028 Rw "Bytes from one row of A (column, when A_COL_MAJOR) to the next; a multiple of ALIGN." {
        BYTES 0 32 "May be 0: every row is then the same memory."
    }
    B_LO 0x030 Rw "Bus address of B's first element, low half; a multiple of ALIGN." {
        ADDRESS 0 32 "Bits 31:0."
    }
    B_HI 0x034 Rw "Bus address of B, high half." {
        ADDRESS 0 32 "Bits 63:32."
    }
    B_STRIDE 0x038 Rw "Bytes from one row of B (column, when B_COL_MAJOR) to the next; a multiple of ALIGN." {
        BYTES 0 32 "May be 0."
    }
    D_LO 0x040 Rw "Bus address of D's first element, low half; a multiple of ALIGN." {
        ADDRESS 0 32 "Bits 31:0."
    }
    D_HI 0x044 Rw "Bus address of D, high half." {
        ADDRESS 0 32 "Bits 63:32."
    }
    D_STRIDE 0x048 Rw "Bytes from one row of D (column, when D_COL_MAJOR) to the next; a multiple of ALIGN." {
        BYTES 0 32 "At least the length of a row (column)."
    }
    CYCLES_LO 0x080 Ro "Clock cycles from START to the last write response, low half." {
        COUNT 0 32 "Bits 31:0."
    }
    CYCLES_HI 0x084 Ro "Clock cycles of the command, high half." {
        COUNT 0 32 "Bits 63:32."
    }
    COMPUTE_CYCLES_LO 0x088 Ro "Clock cycles from the first operand entering the array to the last result leaving it, low half." {
        COUNT 0 32 "Bits 31:0."
    }
    COMPUTE_CYCLES_HI 0x08c Ro "Compute cycles, high half." {
        COUNT 0 32 "Bits 63:32."
    }
    BYTES_READ_LO 0x090 Ro "Read data beats times the bus width, low half." {
        COUNT 0 32 "Bits 31:0."
    }
    BYTES_READ_HI 0x094 Ro "Bytes read, high half." {
        COUNT 0 32 "Bits 63:32."
    }
    BYTES_WRITTEN_LO 0x098 Ro "Write data beats times the bus width, low half." {
        COUNT 0 32 "Bits 31:0."
    }
    BYTES_WRITTEN_HI 0x09c Ro "Bytes written, high half." {
        COUNT 0 32 "Bits 63:32."
    }
    MACS_LO 0x0a0 Ro "Products that belong to the result, M * N * K when the command completes, low half." {
        COUNT 0 32 "Bits 31:0."
    }
    MACS_HI 0x0a4 Ro "Products, high half." {
        COUNT 0 32 "Bits 63:32."
    }
}
