//! Counting events.

use rtl_gen::{Builder, Sig, cat, uint};

/// Bits of a counter that one carry chain adds in a cycle.
const SEGMENT: u32 = 16;

/// Counts the cycles in which `up` is 1, modulo 2^`width`; 0 after reset and the cycle after `clear`.
///
/// `clear` wins over `up`. The count is in segments of 16 bits with a register for the carry between two, so that a
/// 64-bit counter has no longer carry chain than a 16-bit one: segment s follows s cycles behind, and a count read in
/// the 3 cycles after a segment wraps may lack that carry. Where this matters, read it after the last event.
pub fn counter<'m>(m: &'m Builder, name: &str, width: u32, clear: Sig<'m>, up: Sig<'m>) -> Sig<'m> {
    let mut carry = up;
    let mut parts = vec![];
    m.scope(name, || {
        for (s, low) in (0..width).step_by(SEGMENT as usize).enumerate() {
            let bits = SEGMENT.min(width - low);
            let part = m.state(&format!("part_{s}"), uint(bits), 0);
            part.update(&[(clear, part.q().lit(0)), (carry, part.q().inc())]);
            if low + bits < width {
                let wraps = carry & part.q().as_bits().red_and() & !clear;
                carry = m.reg_reset(&format!("carry_{s}"), wraps, 0);
            }
            parts.insert(0, part.q().as_bits());
        }
    });
    cat(&parts).as_u()
}
