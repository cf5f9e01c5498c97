//! The look-ahead window of a lane.

use rtl_gen::{Builder, MemSpec, Module, any, bit, bits, cat, index_width, one_hot_mux, uint};

/// Holds up to `depth` words and sends any of them whose destination is granted, the oldest first.
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `in_valid`, `in_ready` | in, out | bit | a word offered; ready is a register: room for one |
/// | `in_to`, `in_data` | in | bits(`ports`), bits(`width`) | its destination, one-hot; the word |
/// | `wants` | out | bits(`ports`) | destinations of the words held |
/// | `grants` | in | bits(`ports`) | destinations this lane may send to in this cycle |
/// | `out_to` | out | bits(`ports`) | destination of `out_data`, one-hot, or 0; a register |
/// | `out_data` | out | bits(`width`) | the word sent; a register |
/// | `active` | out | bit | a word is inside |
///
/// Two cycles from grant to `out_data`; one word in and one out a cycle, except that a full window
/// takes nothing. The words lie in LUT RAM and stay there; what shifts, so that the list is in
/// order of age, is the list of their addresses and destinations. Free addresses stand at its end.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// Words held; a power of two from 2.
    pub depth: u32,
    /// Destinations.
    pub ports: u32,
    /// Bits a word.
    pub width: u32,
}

impl Module for Window {
    fn name(&self) -> String {
        format!("window_k{}_p{}_w{}", self.depth, self.ports, self.width)
    }

    fn check(&self) -> Result<(), String> {
        if self.depth.is_power_of_two() && (2..=32).contains(&self.depth) {
            Ok(())
        } else {
            Err(format!("look_ahead = {}: must be a power of two, 2 to 32", self.depth))
        }
    }

    fn build(&self, m: &Builder) {
        m.doc("Look-ahead window: sends any word whose destination is granted, the oldest first.");
        let (k, to, address) =
            (self.depth as usize, bits(self.ports), uint(index_width(self.depth)));
        let (in_valid, in_to) = (m.input("in_valid", bit()), m.input("in_to", to));
        let (in_data, grants) = (m.input("in_data", bits(self.width)), m.input("grants", to));

        // No destination: the place is free.
        let tos: Vec<_> = (0..k).map(|i| m.state(&format!("to_{i}"), to, 0)).collect();
        let ids: Vec<_> = (0..k).map(|i| m.state(&format!("id_{i}"), address, i as i128)).collect();
        let full: Vec<_> = tos.iter().map(|t| t.q().red_or()).collect();
        let ready = !full[k - 1];
        let push = (in_valid & ready).named("push");

        let granted: Vec<_> = tos.iter().map(|t| (t.q() & grants).red_or()).collect();
        // At or behind the place that leaves.
        let moves: Vec<_> =
            (0..k).map(|i| any(&granted[..=i]).named(&format!("moves_{i}"))).collect();
        let leaves: Vec<_> =
            (0..k).map(|i| if i == 0 { granted[0] } else { granted[i] & !moves[i - 1] }).collect();
        let first_free: Vec<_> =
            (0..k).map(|i| if i == 0 { !full[0] } else { !full[i] & full[i - 1] }).collect();

        let gone: Vec<_> = (0..k).map(|i| (leaves[i], ids[i].q().as_bits())).collect();
        let gone = one_hot_mux(&gone).named("gone");
        let sent: Vec<_> = (0..k).map(|i| (leaves[i], tos[i].q())).collect();
        let sent = one_hot_mux(&sent) & grants;
        let free: Vec<_> = (0..k).map(|i| (first_free[i], ids[i].q().as_bits())).collect();
        let free = one_hot_mux(&free).as_u();

        let added: Vec<_> = (0..k).map(|i| (push & first_free[i]).mux(in_to, tos[i].q())).collect();
        for i in 0..k {
            let (next_to, next_id) = if i + 1 == k {
                (added[i].lit(0), gone.as_u())
            } else {
                (added[i + 1], ids[i + 1].q())
            };
            tos[i].drive(moves[i].mux(next_to, added[i]));
            ids[i].drive(moves[i].mux(next_id, ids[i].q()));
        }

        let store = m.mem("store", MemSpec::distributed(self.depth, self.width));
        store.write(free, in_data, push);
        let chosen = m.reg("chosen", gone.as_u());
        let chosen_to = m.reg_reset("chosen_to", sent, 0);
        let out_to = m.reg_reset("sent_to", chosen_to, 0);
        let held: Vec<_> = tos.iter().map(|t| t.q()).collect();
        let wants = held.iter().skip(1).fold(held[0], |all, &t| all | t);

        m.assert("order", !any(&(1..k).map(|i| full[i] & !full[i - 1]).collect::<Vec<_>>()));
        m.output("in_ready", ready);
        m.output("wants", wants);
        m.output("out_to", out_to);
        m.output("out_data", m.reg("sent", store.read_async("front", chosen)));
        m.output("active", cat(&[full[0], chosen_to, out_to]).red_or());
    }
}
