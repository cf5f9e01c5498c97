//! The submission and completion rings of a card with a controller of its own.

use super::table::registers;

/// Entries of the submission ring that the card fetches ahead of the command logic.
pub const SLOTS: u32 = 4;
/// Commands that can be between their fetch and their completion record.
pub const TAGS: u32 = 8;
/// Most entries of a ring; a power of two.
pub const MAX_ENTRIES: u32 = 1 << 15;

registers! {
    "queue" at 0x0800 size 0x0400
    "Rings of a card whose command logic runs on the card; other cards have none of these registers. Write the bases, the size and DOORBELL = 0, clear the completion ring, then set ENABLE. At most ENTRIES commands may be between the doorbell and the reading of their record."

    ENABLE 0x00 Rw "Opens the rings when RUN rises; base and size registers must hold still while STATUS.RUNNING is 1. A soft reset or a fault closes them." {
        RUN 0 1 "Clear it to close the rings: nothing more is fetched, and STATUS.RUNNING falls when every command has its record."
    }
    STATUS 0x04 Ro "State of the rings." {
        RUNNING 0 1 "The rings are open, or commands are still under way."
        FAULT 8 8 "Error code that closed the rings; 0 is none. Cleared when ENABLE.RUN rises."
    }
    FAULT_INFO 0x08 Ro "Detail of the fault; its meaning is told with the error code." {
        INFO 0 32 "Detail."
    }
    IRQ_STATUS 0x0c W1c "Causes of the interrupt beside those of CARD.IRQ_STATUS." {
        CAUSE 0 1 "A record whose entry asks for it has reached memory, or the rings were closed by a fault."
    }
    IRQ_ENABLE 0x10 Rw "Which causes raise the interrupt; 0 after reset." {
        CAUSE 0 1 "Enables IRQ_STATUS.CAUSE."
    }
    RING_LO 0x14 Rw "Bus address of the submission ring, a multiple of 64, low half." {
        RING_ADDRESS 0 32 "Bits 31:0."
    }
    RING_HI 0x18 Rw "Bus address of the submission ring, high half." {
        RING_ADDRESS 0 32 "Bits 63:32."
    }
    DONE_LO 0x1c Rw "Bus address of the completion ring, a multiple of 128, low half." {
        RING_ADDRESS 0 32 "Bits 31:0."
    }
    DONE_HI 0x20 Rw "Bus address of the completion ring, high half." {
        RING_ADDRESS 0 32 "Bits 63:32."
    }
    SIZE 0x24 Rw "Size of both rings." {
        ENTRIES 0 16 "Entries of 64 bytes and records of 128: a power of two from 2 to 32768."
    }
    DOORBELL 0x28 Rw "How many entries software has written since ENABLE, modulo 65536." {
        COUNT 0 16 "At most ENTRIES more than there are records, else the rings close with DOORBELL_RANGE."
    }
    FETCHED 0x2c Ro "How many entries the card has asked for since ENABLE, modulo 65536." {
        COUNT 0 16 "Entries."
    }
    WRITTEN 0x30 Ro "How many records have reached memory since ENABLE, modulo 65536." {
        COUNT 0 16 "Records."
    }
}
