//! The crossbar from lanes to banks.

use super::follow::{Follow, inside};
use crate::cells::Crossbar;
use rtl_gen::{Builder, Module, any, bit, bits, cat, index_width, uint};

/// A crossbar with any traffic and space that comes and goes. One word from lane `from` to port `to` is followed.
#[derive(Clone, Copy, Debug)]
pub struct CrossbarProof {
    /// Lanes; as many ports.
    pub lanes: u32,
    /// Words a lane chooses among.
    pub look_ahead: u32,
    /// Cycles that the followed word is under way at most while its port has space.
    pub wait: u32,
}

impl Module for CrossbarProof {
    fn name(&self) -> String {
        format!("proof_crossbar_l{}_k{}", self.lanes, self.look_ahead)
    }

    fn build(&self, m: &Builder) {
        m.doc("Harness: a crossbar delivers each word once, in order for each lane and port, and in bounded time.");
        let (l, word) = (self.lanes, Follow::new(m, m.input("pick", bit())));
        let index = uint(index_width(l));
        let (from, to) = (m.input_static("from", index), m.input_static("to", index));
        let space = m.input("space", bits(l));
        let crossbar = Crossbar { lanes: l, ports: l, look_ahead: self.look_ahead, width: 2 };
        let crossbar = m.inst("crossbar", &crossbar);
        crossbar.set("space", space);
        let (mut accepted, mut sent) = (vec![], vec![]);
        for i in 0..l {
            let port = |name: &str| format!("l{i}_{name}");
            let (offer, goal) = (m.input(&port("offer"), bit()), m.input(&port("goal"), index));
            let mine = (from.is(i.into()) & goal.eq(to)).named(&port("mine"));
            crossbar.set(&port("valid"), offer);
            crossbar.set(&port("to"), m.lit(uint(l), 1).shl(goal).as_bits());
            crossbar.set(&port("data"), cat(&[mine, word.carries & mine]));
            let push = (offer & crossbar.get(&port("ready"))).named(&port("push"));
            accepted.push(push);
            sent.push(push & mine);
        }
        let (mut left, mut arrivals) = (vec![], vec![]);
        for p in 0..l {
            let port = |name: &str| format!("p{p}_{name}");
            let (valid, data) = (crossbar.get(&port("valid")), crossbar.get(&port("data")));
            let mine = (valid & data.bit(1)).named(&port("mine"));
            m.assert(&port("is_the_right_one"), !mine | to.is(p.into()));
            m.assert(&port("once_and_in_order"), !mine | data.bit(0).eq(word.due));
            let granted =
                (1..=3).fold(space.bit(p), |v, i| m.reg_reset(&port(&format!("space_{i}")), v, 0));
            m.assert(&port("had_space_three_cycles_ago"), !valid | granted);
            left.push(valid);
            arrivals.push(mine);
        }
        word.moves(any(&sent), any(&arrivals));
        let held = inside(m, &accepted, &left);
        m.assert("active_says_if_empty", crossbar.get("active").eq(!held.is(0)));

        // Cycles under way, as long as the port has space.
        let waited = m.state("waited", uint(6), 0);
        let served = word.inside & space.dyn_lane(to, 1);
        waited.drive(served.mux(waited.q().inc(), waited.q().lit(0)));
        m.assert("no_word_waits_for_ever", waited.q().le(waited.q().lit(self.wait.into())));
        m.cover("waits_as_long_as_told", waited.q().is(self.wait.into()));
        m.cover("the_word_arrives", any(&arrivals) & word.due);
        m.cover("all_ports_at_once", left.iter().skip(1).fold(left[0], |a, &b| a & b));
    }
}
