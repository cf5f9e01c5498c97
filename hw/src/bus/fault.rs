//! Remembers the first bus error.

use rtl_gen::{Builder, Sig, any, bits};

/// Draws the sticky error of a master: input `fault_clear`, outputs `fault` (the response code SLVERR = 2 or
/// DECERR = 3 of the first burst that failed, else 0) and `fault_addr` (bits 31:0 of that burst's address).
///
/// `answer` is 1 when the response code `code`, `bits(2)`, of the burst at `addr` is seen.
pub(super) fn sticky_fault<'m>(m: &'m Builder, answer: Sig<'m>, code: Sig<'m>, addr: Sig<'m>) {
    let clear = m.input("fault_clear", bits(1));
    let fault = m.state("fault_q", bits(2), 0);
    let place = m.reg_decl("fault_addr_q", addr.ty());
    let first = (answer & code.bit(1) & !fault.q().red_or()).named("first_fault");
    let keep = any(&[first, clear]);
    fault.drive_when(keep, clear.mux(fault.q().lit(0), code));
    place.drive_when(first, addr);
    m.output("fault", fault.q());
    m.output("fault_addr", place.q().resize(32));
}
