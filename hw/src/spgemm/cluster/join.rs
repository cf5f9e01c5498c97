//! What joins a product, as the command says, and what that changes between lanes, merge core and sorter.

use super::super::front::Source;
use super::Cluster;
use super::control::Command;
use mattock_spec::JoinStep;
use rtl_gen::{Builder, Instance, Sig, Type, any, bit, uint};

/// The steps of the command; 0 where the card was not built for one. Constant while it runs.
#[derive(Clone, Copy)]
pub(super) struct Joins<'m> {
    pub mask: Sig<'m>,
    pub complement: Sig<'m>,
    pub by_value: Sig<'m>,
    pub accumulate: Sig<'m>,
    pub prune: Sig<'m>,
}

impl<'m> Joins<'m> {
    pub(super) fn ports(m: &'m Builder, cluster: &Cluster) -> Self {
        let step = |name: &str, built: JoinStep| {
            if cluster.has(built) { m.input(&format!("steps_{name}"), bit()) } else { m.low() }
        };
        Joins {
            mask: step("mask", JoinStep::Mask),
            complement: step("complement", JoinStep::Mask),
            by_value: step("by_value", JoinStep::Mask),
            accumulate: step("accumulate", JoinStep::Accumulate),
            prune: step("prune", JoinStep::Prune),
        }
    }
}

impl Cluster {
    fn has(&self, step: JoinStep) -> bool {
        self.config.joins.contains(&step)
    }

    /// Elements of a mask may come among the products.
    pub(super) fn masks(&self) -> bool {
        self.has(JoinStep::Mask)
    }

    /// Rows of other matrices than B may come among the products.
    pub(super) fn joined(&self) -> bool {
        self.masks() || self.has(JoinStep::Accumulate)
    }

    /// Not every entry of the table may leave.
    pub(super) fn filters(&self) -> bool {
        self.masks() || self.has(JoinStep::Prune)
    }

    /// The inputs that tell what joins a product, by the names of the registers.
    pub(in crate::spgemm) fn join_inputs(&self) -> Vec<(String, Type)> {
        let steps = [
            ("mask", JoinStep::Mask),
            ("complement", JoinStep::Mask),
            ("by_value", JoinStep::Mask),
            ("accumulate", JoinStep::Accumulate),
            ("prune", JoinStep::Prune),
        ];
        let built = steps.into_iter().filter(|(_, step)| self.has(*step));
        let mut inputs: Vec<_> = built.map(|(name, _)| (format!("steps_{name}"), bit())).collect();
        for (_, name) in Source::JOINED.iter().filter(|_| self.joined()) {
            inputs.push((format!("nnz_{name}"), uint(32)));
            let arrays = ["ptr", "col", "val"].map(|array| format!("{name}_{array}"));
            inputs.extend(arrays.map(|array| (array, uint(self.address_bits))));
        }
        inputs
    }

    /// Tells the feed which rows join, and where they lie.
    pub(super) fn join_rows<'m>(&self, m: &'m Builder, command: &Command<'m>, feed: Instance<'m>) {
        if !self.joined() {
            return;
        }
        let Joins { mask, complement, accumulate, .. } = command.joins;
        feed.set("mask", mask).set("complement", complement).set("accumulate", accumulate);
        for (_, name) in Source::JOINED {
            let count = format!("nnz_{name}");
            feed.set(&count, m.input(&count, uint(32)));
            feed.set(&format!("{name}_ptr_base"), self.base(m, &format!("{name}_ptr")));
        }
    }

    /// The lanes' inputs for arrays of the matrices that join.
    pub(super) fn joined_bases<'m>(&self, m: &'m Builder) -> Vec<(String, Sig<'m>)> {
        let joined = Source::JOINED.iter().filter(|_| self.joined());
        let arrays =
            joined.flat_map(|(_, name)| ["col", "val"].map(|array| format!("{name}_{array}")));
        arrays.map(|array| (format!("{array}_base"), self.base(m, &array))).collect()
    }

    /// Connects a lane to the merge core. An element of a mask that counts as none goes no further.
    pub(super) fn send<'m>(
        &self,
        command: &Command<'m>,
        (l, lane): (usize, Instance<'m>),
        core: Instance<'m>,
    ) {
        for field in ["half", "row", "col", "b"] {
            core.set(&format!("l{l}_{field}"), lane.get(&format!("out_{field}")));
        }
        let (valid, ready) = (lane.get("out_valid"), core.get(&format!("l{l}_ready")));
        core.set(&format!("l{l}_a"), lane.get("out_a").trunc(32));
        let Some(source) = self.source(lane) else {
            core.set(&format!("l{l}_valid"), valid);
            lane.set("out_ready", ready);
            return;
        };
        let of_mask = source.as_u().is(Source::Mask as i128);
        let none = command.joins.by_value & of_mask & !lane.get("out_b").red_or();
        core.set(&format!("l{l}_source"), source);
        core.set(&format!("l{l}_valid"), valid & !none);
        lane.set("out_ready", ready | none);
    }

    /// A product leaves a lane, not what joins it.
    pub(super) fn sends_product<'m>(
        &self,
        (l, lane): (usize, Instance<'m>),
        core: Instance<'m>,
    ) -> Sig<'m> {
        let moves = lane.get("out_valid") & core.get(&format!("l{l}_ready"));
        let of_b = self.source(lane).map(|source| source.as_u().is(Source::B as i128));
        of_b.map_or(moves, |of_b| moves & of_b)
    }

    fn source<'m>(&self, lane: Instance<'m>) -> Option<Sig<'m>> {
        self.joined().then(|| lane.get("out_a").slice(31 + Source::BITS, 32))
    }

    /// Whether the entry at the head of a drain stream leaves, where not every one does.
    pub(super) fn leaves<'m>(
        &self,
        command: &Command<'m>,
        core: Instance<'m>,
        stream: u32,
    ) -> Option<Sig<'m>> {
        let port = |name: &str| core.get(&format!("d{stream}_{name}"));
        let wanted = self.masks().then(|| port("wanted"));
        let whole = self.has(JoinStep::Prune).then(|| {
            // -0 is zero.
            let value = port("value");
            let zero = !any(&[value.slice(30, 0).red_or(), value.bit(31) & !command.float()]);
            !(command.joins.prune & zero)
        });
        wanted.into_iter().chain(whole).reduce(|a, b| a & b)
    }
}
