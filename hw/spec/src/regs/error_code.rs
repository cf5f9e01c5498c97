//! Why a command failed: one number from hardware to the user's message.

/// Declares the codes with their names, details and meanings in one table.
macro_rules! error_codes {
    ($( $variant:ident = $code:literal $name:literal $info:literal $doc:literal )*) => {
        /// Outcome of a command, as `STATUS.ERROR` and the completion record carry it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        #[repr(u8)]
        pub enum ErrorCode {
            $(
                #[doc = $doc]
                #[doc = concat!("\n\n`ERROR_INFO`: ", $info, ".")]
                $variant = $code,
            )*
        }

        impl ErrorCode {
            /// Every code, rising.
            pub const ALL: &'static [ErrorCode] = &[$(ErrorCode::$variant),*];

            /// The code of a number; `None` when this software does not know it.
            pub const fn from_u8(code: u8) -> Option<ErrorCode> {
                match code {
                    $($code => Some(ErrorCode::$variant),)*
                    _ => None,
                }
            }

            /// Upper-case name, as in the register manual and the C header.
            pub const fn name(self) -> &'static str {
                match self { $(ErrorCode::$variant => $name,)* }
            }

            /// What happened, one sentence.
            pub const fn meaning(self) -> &'static str {
                match self { $(ErrorCode::$variant => $doc,)* }
            }

            /// What `ERROR_INFO` holds with this code.
            pub const fn info(self) -> &'static str {
                match self { $(ErrorCode::$variant => $info,)* }
            }
        }
    };
}

error_codes! {
    None = 0 "NONE" "0" "The command completed."
    BadOpcode = 1 "BAD_OPCODE" "the opcode" "The ring entry's opcode is not one this card executes."
    BadLength = 2 "BAD_LENGTH" "the length given" "The parameter block's length is not the opcode's."
    ReservedBits = 3 "RESERVED_BITS" "byte offset of the field" "A reserved bit or byte of the command is set."
    UnsupportedMode = 4 "UNSUPPORTED_MODE" "the mode word" "The type tuple, value type, semiring or combination of steps is not built into this card."
    BadShape = 5 "BAD_SHAPE" "byte offset of the field in the parameter block" "A dimension is larger than this card's limits."
    BadAddress = 6 "BAD_ADDRESS" "byte offset of the field in the parameter block" "An address is not aligned, or the operand passes the end of the address space."
    TooLarge = 7 "TOO_LARGE" "bytes needed" "An operand or result that must stay on chip does not fit its buffer."
    Busy = 8 "BUSY" "0" "The engine was still running another command."
    Aborted = 9 "ABORTED" "0" "A soft reset or a deadline ended the command."
    BadEntry = 10 "BAD_ENTRY" "the product" "An entry of a batch's list has an address past the end of the address space, a D that is not aligned to its elements, or reserved bytes that are set."
    ReadSlaveError = 16 "READ_SLVERR" "bits 31:0 of the burst's address" "The bus answered a read with SLVERR."
    ReadDecodeError = 17 "READ_DECERR" "bits 31:0 of the burst's address" "The bus answered a read with DECERR."
    WriteSlaveError = 18 "WRITE_SLVERR" "bits 31:0 of the burst's address" "The bus answered a write with SLVERR."
    WriteDecodeError = 19 "WRITE_DECERR" "bits 31:0 of the burst's address" "The bus answered a write with DECERR."
    RowPointerA = 32 "ROW_POINTER_A" "the row" "A row pointer of A falls, passes NNZ_A, or the last is not NNZ_A."
    RowPointerB = 33 "ROW_POINTER_B" "the row" "A row pointer of B falls, passes NNZ_B, or the last is not NNZ_B."
    ColumnA = 34 "COLUMN_A" "the row of A" "A column of A is not below INNER."
    ColumnB = 35 "COLUMN_B" "the row of B" "A column of B, or of what joins the product, is not below COLS or does not rise within its row."
    CapacityExceeded = 36 "C_CAPACITY_EXCEEDED" "entries of C needed so far" "C has more entries than C_CAPACITY."
    RowPointerMask = 37 "ROW_POINTER_MASK" "the row" "A row pointer of the mask falls or passes NNZ_MASK."
    RowPointerAddend = 38 "ROW_POINTER_ADDEND" "the row" "A row pointer of the addend falls or passes NNZ_ADDEND."
    RingBase = 48 "RING_BASE" "0 for the submission ring, 1 for the completion ring" "A ring's address is not a multiple of 64 (128 for records) or passes the end of the address space."
    RingSize = 49 "RING_SIZE" "the size given" "The size of the rings is not a power of two from 2 to 32768."
    DoorbellRange = 50 "DOORBELL_RANGE" "the doorbell" "The doorbell tells of more entries than the ring has room for."
    Controller = 51 "CONTROLLER" "CONTROLLER.STATUS" "The card's own processor has stopped."
    Internal = 255 "INTERNAL" "engine specific" "The hardware noticed a fault of its own; please report it."
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_round_trip() {
        for pair in ErrorCode::ALL.windows(2) {
            assert!((pair[0] as u8) < pair[1] as u8);
        }
        for code in 0..=255u8 {
            match ErrorCode::from_u8(code) {
                Some(e) => assert_eq!(e as u8, code),
                None => assert!(!ErrorCode::ALL.iter().any(|e| *e as u8 == code)),
            }
        }
    }
}
