//! Wires that are read before they are driven.

use super::Builder;
use crate::error::ErrorKind;
use crate::ir::Op;
use crate::{Sig, Type};
use std::panic::Location;

/// A wire whose source is given after it has been used.
#[derive(Clone, Copy)]
pub struct Forward<'m> {
    pub(super) sig: Sig<'m>,
}

impl Builder {
    /// A wire that is read before its source exists.
    #[track_caller]
    pub fn forward(&self, name: &str, ty: Type) -> Forward<'_> {
        let sig = self.add_node(Op::Wire, &[], ty, Location::caller());
        Forward { sig: self.name_node(sig, name) }
    }
}

impl<'m> Forward<'m> {
    /// The wire.
    pub fn sig(self) -> Sig<'m> {
        self.sig
    }

    /// Gives the wire its source; exactly once.
    #[track_caller]
    pub fn assign(self, source: Sig<'m>) {
        let at = Location::caller();
        let m = self.sig.m;
        let name = m.label(self.sig.id);
        if !std::ptr::eq(source.m, m) {
            m.error(ErrorKind::Foreign { op: "wire", name: source.m.label(source.id) }, at);
            return;
        }
        if source.ty() != self.sig.ty() {
            let (left_ty, right, right_ty) = (self.sig.ty(), m.label(source.id), source.ty());
            m.error(
                ErrorKind::Mismatch { op: "wire", left: name.clone(), left_ty, right, right_ty },
                at,
            );
        }
        let twice = m.with(|b| {
            let args = &mut b.def.nodes[self.sig.id.0 as usize].args;
            args.push(source.id);
            args.len() > 1
        });
        if twice {
            m.error(ErrorKind::DoublyDriven { what: "wire", name }, at);
        }
    }
}
