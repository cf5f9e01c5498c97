//! Lanes to banks.

use super::window::Window;
use rtl_gen::{Builder, Module, Sig, bit, bits, one_hot_mux};

/// Sends the words of `lanes` streams to `ports` destinations; each lane looks `look_ahead` words
/// ahead and sends any whose destination is free.
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `l{l}_valid`, `l{l}_ready` | in, out | bit | stream of lane l |
/// | `l{l}_to`, `l{l}_data` | in | bits(`ports`), bits(`width`) | destination, one-hot; word |
/// | `space` | in | bits(`ports`) | destination takes [`Crossbar::IN_FLIGHT`] more words |
/// | `p{p}_valid`, `p{p}_data` | out | bit, bits(`width`) | word for destination p; always taken |
/// | `active` | out | bit | a word is inside |
///
/// Each cycle every destination with space grants itself to one of the lanes that hold a word for it; which
/// lane comes first rotates, one lane a cycle and offset by the destination's number, so that each lane
/// is first at each destination once in `lanes` cycles: with the oldest-first choice of
/// [`Window`] no word waits for ever. The grants are registered; in the next cycle each lane sends the
/// oldest word it has a grant for. (One iteration of request, grant, accept as in iSLIP, McKeown 1999,
/// with a register between grant and accept.) Latency 4 from stream to destination when nothing is in the way,
/// throughput one word a lane and a destination and cycle.
#[derive(Clone, Copy, Debug)]
pub struct Crossbar {
    /// Streams; a power of two.
    pub lanes: u32,
    /// Destinations; a power of two from `lanes`.
    pub ports: u32,
    /// Words a lane chooses among.
    pub look_ahead: u32,
    /// Bits a word.
    pub width: u32,
}

impl Crossbar {
    /// Words that may still arrive after `space` has fallen, and the one it allows itself: one being
    /// granted, two in the registers of the window, one at the port.
    pub const IN_FLIGHT: u32 = 4;
}

impl Module for Crossbar {
    fn name(&self) -> String {
        format!("crossbar_l{}_p{}_k{}_w{}", self.lanes, self.ports, self.look_ahead, self.width)
    }

    fn check(&self) -> Result<(), String> {
        if !self.lanes.is_power_of_two() {
            return Err(format!("lanes = {}: must be a power of two", self.lanes));
        }
        if self.ports < self.lanes || !self.ports.is_power_of_two() {
            return Err(format!(
                "banks = {}: must be a power of two from lanes = {}",
                self.ports, self.lanes
            ));
        }
        Ok(())
    }

    fn build(&self, m: &Builder) {
        m.doc("Crossbar with a look-ahead window at each lane.");
        let (l, n) = (self.lanes as usize, self.ports);
        let space = m.input("space", bits(n));
        let window = Window { depth: self.look_ahead, ports: n, width: self.width };
        let windows: Vec<_> = (0..l).map(|i| m.inst(&format!("window_{i}"), &window)).collect();
        for (i, w) in windows.iter().enumerate() {
            w.set("in_valid", m.input(&format!("l{i}_valid"), bit()));
            w.set("in_to", m.input(&format!("l{i}_to"), bits(n)));
            w.set("in_data", m.input(&format!("l{i}_data"), bits(self.width)));
            m.output(&format!("l{i}_ready"), w.get("in_ready"));
        }

        let wants: Vec<_> = windows.iter().map(|w| w.get("wants") & space).collect();
        for (i, grant) in rotating_grants(m, &wants).into_iter().enumerate() {
            windows[i].set("grants", m.reg_reset(&format!("grants_{i}"), grant, 0));
        }

        let to: Vec<_> = windows.iter().map(|w| w.get("out_to")).collect();
        let data: Vec<_> = windows.iter().map(|w| w.get("out_data")).collect();
        for p in 0..n {
            let arms: Vec<_> = (0..l).map(|i| (to[i].bit(p), data[i])).collect();
            let valid: Vec<_> = arms.iter().map(|a| a.0).collect();
            m.output(&format!("p{p}_valid"), rtl_gen::any(&valid));
            m.output(&format!("p{p}_data"), one_hot_mux(&arms));
        }
        let mut seen = to[0];
        let mut twice = to[0].lit(0);
        for &t in &to[1..] {
            twice = twice | (seen & t);
            seen = seen | t;
        }
        m.assert("one_word_a_port", !twice.red_or());
        let active: Vec<_> = windows.iter().map(|w| w.get("active")).collect();
        m.output("active", rtl_gen::any(&active));
    }
}

/// One lane for each destination, among those that want it: vectors over the destinations, by lane.
/// Destination p begins its search at lane (turn + p) mod lanes.
fn rotating_grants<'m>(m: &'m Builder, wants: &[Sig<'m>]) -> Vec<Sig<'m>> {
    let l = wants.len();
    if l == 1 {
        return wants.to_vec();
    }
    let ty = wants[0].ty();
    // Bit p of starts[s]: destination p begins at lane s.
    let pattern =
        |s: usize| (0..ty.width()).fold(0i128, |v, p| v | ((p as usize % l == s) as i128) << p);
    let starts: Vec<_> = (0..l).map(|s| m.state(&format!("start_{s}"), ty, pattern(s))).collect();
    for s in 0..l {
        starts[s].drive(starts[(s + l - 1) % l].q());
    }
    (0..l)
        .map(|lane| {
            // The destination's first lane is `ahead` lanes before this one, none of those between wants it.
            let chances: Vec<_> = (0..l)
                .map(|ahead| {
                    let start = starts[(lane + l - ahead) % l].q();
                    (1..=ahead).fold(start, |free, back| free & !wants[(lane + l - back) % l])
                })
                .collect();
            let chance = chances[1..].iter().fold(chances[0], |any, &c| any | c);
            wants[lane] & chance
        })
        .collect()
}
