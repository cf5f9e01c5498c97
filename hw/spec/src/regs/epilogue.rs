//! Command registers of the dense engine's epilogue.

use super::table::registers;

registers! {
    "epilogue" at 0x3000 size 0x0400
    "Epilogue of the GEMM engine, on cards that have one: what happens to integer sums on their way to memory. Writes are ignored while GEMM.STATUS.BUSY is set."

    STEPS 0x000 Rw "What is done, in this order: bias, scale, zero point, limits or slope, table, saturating cast." {
        ENABLE 0 1 "Sums pass the epilogue; otherwise their low bits are stored."
        REQUANT 1 2 "Scale: 0 none; 1 rounded twice, as TFLite does; 2 rounded once, as TFLite with single rounding does; 3 half even, as ONNX Runtime does."
        COLUMNS 3 1 "Bias, factor and shift of each column; otherwise no bias, and one factor and shift."
        LOW 4 1 "There is a lower limit."
        HIGH 5 1 "There is an upper limit."
        SATURATE 6 1 "What the type of D cannot hold becomes its nearest end; otherwise the low bits are kept."
        LEAKY 7 1 "Values below the zero point are multiplied by a slope."
        TABLE 8 1 "The value after limits or slope, saturated to 8 bits, becomes an entry of a table."
    }
    BLOCK_LO 0x008 Rw "Bus address of the parameters, low half; a multiple of 64." {
        ADDRESS 0 32 "Bits 31:0."
    }
    BLOCK_HI 0x00c Rw "Bus address of the parameters, high half." {
        ADDRESS 0 32 "Bits 63:32."
    }
}
