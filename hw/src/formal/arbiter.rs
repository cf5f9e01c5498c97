//! Arbiters: one at most, nobody for ever.

use crate::cells::{priority, round_robin};
use rtl_gen::{Builder, Module, any, bit, bits, cat, index_width, uint};

/// The fair arbiter and the one by priority, with any requests.
#[derive(Clone, Copy, Debug)]
pub struct ArbiterProof {
    /// Requests.
    pub requests: u32,
}

impl Module for ArbiterProof {
    fn name(&self) -> String {
        format!("proof_arbiter_n{}", self.requests)
    }

    fn build(&self, m: &Builder) {
        m.doc("Harness: an arbiter grants one request at most, and each in its turn.");
        let n = self.requests;
        let (asked, advance) = (m.input("asked", bits(n)), m.input("advance", bit()));
        let requests = asked.lanes(1);
        let vector = |grant: Vec<_>| cat(&grant.into_iter().rev().collect::<Vec<_>>());
        for (name, grant) in [
            ("fair", round_robin(m, "turn", &requests, advance)),
            ("priority", priority(&requests)),
        ] {
            let grants = vector(grant).named(&format!("{name}_grants"));
            // x & (x - 1) takes away the lowest 1.
            let second = grants & grants.as_u().dec().as_bits();
            m.assert(&format!("{name}_grants_one_at_most"), !second.red_or());
            m.assert(&format!("{name}_grants_what_is_asked"), !(grants & !asked).red_or());
            m.assert(&format!("{name}_grants_if_asked"), grants.red_or().eq(asked.red_or()));
            if name == "priority" {
                let lower = grants.as_u().dec().as_bits() & asked;
                m.assert("priority_grants_the_lowest", !asked.red_or() | !lower.red_or());
                continue;
            }
            // Whoever goes on asking is passed over n - 1 times at most.
            let who = m.input_static("who", uint(index_width(n)));
            let (asks, gets) = (asked.dyn_lane(who, 1), grants.dyn_lane(who, 1));
            let passed = m.state("passed", uint(index_width(n) + 1), 0);
            let another = any(&[grants.red_or() & !gets]) & advance;
            passed.drive(
                (asks & !(gets & advance))
                    .mux(another.mux(passed.q().inc(), passed.q()), passed.q().lit(0)),
            );
            m.assert("nobody_is_passed_over_for_ever", passed.q().lt(passed.q().lit(n.into())));
            m.cover("passed_over_by_all_others", passed.q().is(n as i128 - 1));
        }
    }
}
