//! Assertions, assumptions and cover points.

use super::Builder;
use crate::error::ErrorKind;
use crate::ir::{AssertDef, AssertKind};
use crate::{Sig, bit};
use std::panic::Location;

impl Builder {
    /// `condition` must be 1 at every clock edge outside reset.
    #[track_caller]
    pub fn assert(&self, label: &str, condition: Sig<'_>) {
        self.claim(AssertKind::Assert, label, condition);
    }

    /// `condition` should be 1 at some clock edge.
    #[track_caller]
    pub fn cover(&self, label: &str, condition: Sig<'_>) {
        self.claim(AssertKind::Cover, label, condition);
    }

    /// The environment promises `condition`.
    #[track_caller]
    pub fn assume(&self, label: &str, condition: Sig<'_>) {
        self.claim(AssertKind::Assume, label, condition);
    }

    #[track_caller]
    fn claim(&self, kind: AssertKind, label: &str, condition: Sig<'_>) {
        let at = Location::caller();
        if condition.ty() != bit() {
            let (name, ty) = (self.label(condition.id), condition.ty());
            let wants = "one bit, bits(1)".into();
            self.error(ErrorKind::Operand { op: "assert", name, ty, wants }, at);
        }
        let domain = self.use_clock();
        self.reset_port(domain);
        let label = self.claim_name(label, at);
        let condition = condition.id;
        self.with(|b| b.def.asserts.push(AssertDef { kind, condition, domain, label }));
    }
}
