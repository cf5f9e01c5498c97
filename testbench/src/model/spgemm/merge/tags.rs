//! Find-or-insert on the tags of one bank.

use super::Product;

/// A product in the pipeline: buckets probed before this one, and whether its bucket changed since it was read.
#[derive(Clone, Copy, Debug)]
struct Probe {
    product: Product,
    probes: u32,
    stale: bool,
}

/// An entry found or made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) half: bool,
    pub(super) entry: u32,
}

/// Key of an unused way.
const NONE: u64 = u64::MAX;

#[derive(Debug)]
pub(super) struct Tags {
    ways: usize,
    buckets: u32,
    /// Keys by half, bucket and way.
    keys: [Vec<u64>; 2],
    again: Option<Probe>,
    stages: [Option<Probe>; 3],
    out: Option<Found>,
    dropped: Option<bool>,
}

impl Tags {
    pub(super) fn new(ways: u32, buckets: u32) -> Self {
        let keys = vec![NONE; (ways * buckets) as usize];
        Tags {
            ways: ways as usize,
            buckets,
            keys: [keys.clone(), keys],
            again: None,
            stages: [None; 3],
            out: None,
            dropped: None,
        }
    }

    pub(super) fn ready(&self) -> bool {
        self.again.is_none()
    }

    pub(super) fn out(&self) -> Option<Found> {
        self.out
    }

    /// Half of a product that found no room.
    pub(super) fn dropped(&self) -> Option<bool> {
        self.dropped
    }

    /// A product inside may be of the same key.
    pub(super) fn meets(&self, p: &Product) -> bool {
        let same = |q: &Probe| (q.product.half, q.product.key & 0xff) == (p.half, p.key & 0xff);
        self.stages.iter().flatten().chain(&self.again).any(same)
    }

    /// A cycle in which nothing moves.
    pub(super) fn hold(&mut self) {
        self.dropped = None;
    }

    pub(super) fn idle(&self) -> bool {
        let inside = self.stages.iter().any(Option::is_some);
        !inside && self.again.is_none() && self.out.is_none() && self.dropped.is_none()
    }

    /// Empties a bucket; its keys and which ways are used.
    pub(super) fn take_bucket(&mut self, half: bool, bucket: u32, into: &mut Vec<u64>) {
        let first = bucket as usize * self.ways;
        let bucket = &mut self.keys[usize::from(half)][first..first + self.ways];
        into.clear();
        into.extend_from_slice(bucket);
        bucket.fill(NONE);
    }

    pub(super) fn is_used(key: u64) -> bool {
        key != NONE
    }

    pub(super) fn tick(&mut self, offered: Option<Product>) {
        let enters = self
            .again
            .take()
            .or_else(|| offered.map(|product| Probe { product, probes: 0, stale: false }));
        let [first, second, third] = self.stages;
        (self.out, self.dropped) = (None, None);
        let mut inserted = None;
        if let Some(probe) = third {
            let Probe { product, probes, stale } = probe;
            let Product { half, bucket, key, .. } = product;
            if stale {
                self.again = Some(Probe { stale: false, ..probe });
            } else {
                let base = bucket as usize * self.ways;
                let keys = &mut self.keys[usize::from(half)][base..base + self.ways];
                let hit = keys.iter().position(|k| *k == key);
                let way = hit.or_else(|| keys.iter().position(|k| *k == NONE));
                match way {
                    Some(way) => {
                        if hit.is_none() {
                            keys[way] = key;
                            inserted = Some((half, bucket));
                        }
                        self.out = Some(Found { half, entry: (base + way) as u32 });
                    }
                    None if probes == self.buckets - 1 => self.dropped = Some(half),
                    None => {
                        let bucket = (bucket + 1) & (self.buckets - 1);
                        let product = Product { bucket, ..product };
                        self.again = Some(Probe { product, probes: probes + 1, stale: false });
                    }
                }
            }
        }
        let meets = |probe: Option<Probe>| {
            probe.map(|p| {
                let met = inserted == Some((p.product.half, p.product.bucket));
                Probe { stale: p.stale || met, ..p }
            })
        };
        self.stages = [meets(enters), meets(first), meets(second)];
    }
}
