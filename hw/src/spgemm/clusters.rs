//! Several clusters that share one product.

use super::Cluster;
use super::front::{Values, WordStream};
use crate::cells::{counter, priority};
use mattock_spec::ErrorCode;
use mattock_spec::command::SpgemmPart;
use rtl_gen::bundle::expose;
use rtl_gen::{Builder, Instance, Module, Sig, all, any, bit, bits, cat, mux, one_hot_mux, uint};

/// SpGEMM engine of 2 to 8 clusters, each with a memory port and a cache of its own.
///
/// Ports as [`Cluster`], but `m{c}_axi_*` for cluster `c` instead of `m_axi_*`, and `cycles`, `bytes_read`, `bytes_written` instead of
/// `read_beat` and `write_beat`; also the inputs `parts` and `part_table` of the register block. Counters are the sums over all clusters.
///
/// A command's parts ([`SpgemmPart`]) are read from memory in order, through the port of cluster 0 and ahead of need. Whichever
/// cluster is free takes the next one, so that clusters which wait for memory or repeat a window take fewer. Without parts, cluster 0
/// works on the whole product. `done` comes when every cluster has ended its last part; the first fault of a cluster ends the
/// others' work and the command, and so does an error on the table.
///
/// A part is taken every 9 cycles at most; from the end of one to the start of the next in the same cluster: 2 cycles.
#[derive(Clone, Debug)]
pub struct Clusters {
    /// Each of them; `parted`.
    pub cluster: Cluster,
    /// How many.
    pub count: u32,
}

/// The inputs that a part changes for its cluster, and those that tell the parts.
struct Product<'m> {
    rows: Sig<'m>,
    cols: Sig<'m>,
    capacity: Sig<'m>,
    /// Byte addresses of C's row pointers, columns, values.
    c: [Sig<'m>; 3],
    parts: Sig<'m>,
    table: Sig<'m>,
}

/// The part that is handed out next.
struct Next<'m> {
    valid: Sig<'m>,
    words: Vec<Sig<'m>>,
    /// No other follows, and no word is on its way.
    exhausted: Sig<'m>,
}

impl Module for Clusters {
    fn name(&self) -> String {
        "spgemm_clusters".into()
    }

    fn build(&self, m: &Builder) {
        m.doc("SpGEMM engine: clusters that share the parts of one product.");
        let (start, flush) = (m.input("start", bit()), m.input("flush", bit()));
        let clusters: Vec<Instance> =
            (0..self.count).map(|c| m.inst(&format!("cluster_{c}"), &self.cluster)).collect();
        let product = self.inputs(m, &clusters);
        let running = m.state("running", bit(), 0);
        let failed = m.state("failed", bit(), 0);
        let give_up = (failed.q() | flush).named("give_up");
        let taken = m.forward("taken", bit());
        let next = self.parts(m, &product, clusters[0], (start, give_up), taken.sig());

        // The next part goes to the first free cluster; it starts with its registers set.
        let busy: Vec<_> =
            (0..self.count).map(|c| m.state(&format!("busy_{c}"), bit(), 0)).collect();
        let free: Vec<Sig> = busy.iter().map(|b| !b.q()).collect();
        let choice = priority(&free);
        let hand_out = all(&[next.valid, running.q(), !give_up]).named("hand_out");
        taken.assign(hand_out & any(&free));
        let ends: Vec<Sig> = clusters.iter().map(|c| c.get("done")).collect();
        for (c, cluster) in clusters.iter().enumerate() {
            let mine = hand_out & choice[c];
            busy[c].update(&[(mine, m.high()), (ends[c], m.low())]);
            m.scope(&format!("part_{c}"), || give(m, &product, *cluster, &next.words, mine));
            cluster.set("clear", start).set("flush", give_up);
        }

        // The first fault stays; the command ends when all is quiet.
        let mut faults: Vec<Sig> =
            (clusters.iter().zip(&ends)).map(|(c, &end)| end & c.get("error").red_or()).collect();
        // What was read with an error is no table. The fault is known a cycle before the first of its words, and a part is whole
        // two words later at the earliest, so none of them is handed out.
        faults.push(clusters[0].get("read_fault").bit(1) & running.q());
        let code = |e: ErrorCode| m.lit(bits(8), e as i128);
        let decode = clusters[0].get("read_fault").bit(0);
        let code = mux(decode, code(ErrorCode::ReadDecodeError), code(ErrorCode::ReadSlaveError));
        let of_table = cat(&[code, clusters[0].get("read_fault_addr").as_bits()]);
        let outcome = clusters.iter().map(|c| cat(&[c.get("error"), c.get("error_info")]));
        let outcome = outcome.chain([of_table]);
        let offers: Vec<(Sig, Sig)> = priority(&faults).into_iter().zip(outcome).collect();
        let (bad, now) = (any(&faults).named("bad"), one_hot_mux(&offers));
        let first = m.reg_when("first_fault", bad & !failed.q(), now);
        let all_over = all(&[running.q(), next.exhausted, all(&free)]).named("all_over");
        let done = m.reg_reset("done_q", all_over & !start, 0);
        running.update(&[(start, m.high()), (all_over, m.low())]);
        failed.update(&[(start | done, m.low()), (bad, m.high())]);
        let code = failed.q().gate(first.slice(39, 32));
        let idle: Vec<Sig> = clusters.iter().map(|c| c.get("idle")).collect();
        for cluster in &clusters {
            cluster.set("forget", done);
        }
        m.output("done", done);
        m.output("error", code);
        m.output("error_info", first.slice(31, 0));
        m.output("idle", !any(&[start, running.q(), done]) & all(&idle));
        self.counters(m, &clusters, (start, running.q() | done), &ends);
        for (c, cluster) in clusters.iter().enumerate() {
            expose(m, *cluster, "m_axi_", &format!("m{c}_axi_"));
        }
    }
}

impl Clusters {
    /// The registers' values: those no part changes go to every cluster.
    fn inputs<'m>(&self, m: &'m Builder, clusters: &[Instance<'m>]) -> Product<'m> {
        let word = |name: &str| m.input(name, uint(32));
        let address = |name: &str| m.input(name, uint(self.cluster.address_bits));
        let mut shared = vec![("mode_value", m.input("mode_value", bits(4)))];
        if self.cluster.config.semirings.len() > 1 {
            shared.push(("mode_semiring", m.input("mode_semiring", bits(4))));
        }
        if self.cluster.config.ordered {
            shared.push(("mode_ordered", m.input("mode_ordered", bit())));
        }
        shared.push(("seed", m.input("seed", bits(32))));
        shared.extend(["inner", "cols", "nnz_a", "nnz_b"].map(|name| (name, word(name))));
        let joins = self.cluster.join_inputs();
        shared.extend(joins.iter().map(|(name, ty)| (name.as_str(), m.input(name, *ty))));
        let arrays = ["a_ptr", "a_col", "a_val", "b_ptr", "b_col", "b_val"];
        shared.extend(arrays.map(|name| (name, address(name))));
        for cluster in clusters {
            for (name, value) in &shared {
                cluster.set(name, *value);
            }
        }
        // Only cluster 0 reads the table.
        for cluster in &clusters[1..] {
            cluster.set("t_req_valid", m.low());
            cluster.set("t_req_addr", m.lit(uint(self.cluster.addr_bits()), 0));
        }
        let cols = shared.iter().find(|(name, _)| *name == "cols").expect("it is in the list").1;
        Product {
            rows: word("rows"),
            cols,
            capacity: word("c_capacity"),
            c: ["c_ptr", "c_col", "c_val"].map(address),
            parts: word("parts"),
            table: address("part_table"),
        }
    }

    /// Reads the parts of a command; without any, the whole product is the one part.
    fn parts<'m>(
        &self,
        m: &'m Builder,
        product: &Product<'m>,
        reader: Instance<'m>,
        (start, give_up): (Sig<'m>, Sig<'m>),
        taken: Sig<'m>,
    ) -> Next<'m> {
        const WORDS: u32 = SpgemmPart::BYTES as u32 / 4;
        let (line_words, addr_bits) = (self.cluster.line_words(), self.cluster.addr_bits());
        let Product { rows, cols, capacity, parts, table, .. } = *product;
        let whole = parts.is(0);
        let stream = m.inst(
            "table_reader",
            &WordStream { line_words, addr_bits, lines: 8, values: Values::WORDS },
        );
        let asks = m.state("asks", bit(), 0);
        asks.update(&[(start, !whole), (stream.get("cmd_ready") | give_up, m.low())]);
        stream.set("cmd_valid", asks.q()).set("flush", give_up);
        stream.set("cmd_base", table.shr_k(self.cluster.offset_bits()));
        stream.set("cmd_start", m.lit(uint(32), 0));
        stream.set("cmd_count", parts.trunc(29).shl_k(WORDS.trailing_zeros()).resize(32));
        for (reader_port, stream_port) in [("t_req_valid", "req_valid"), ("t_req_addr", "req_addr")]
        {
            reader.set(reader_port, stream.get(stream_port));
        }
        stream.set("req_ready", reader.get("t_req_ready"));
        stream.set("rsp_valid", reader.get("t_rsp_valid"));
        stream.set("rsp_data", reader.get("t_rsp_data"));

        // Words shift in, the first one ends up first.
        let have = m.state("have", uint(4), 0);
        let valid = have.q().is(WORDS as i128).named("part_valid");
        let shift = (stream.get("out_valid") & !valid).named("shift");
        stream.set("out_ready", !valid | give_up);
        let zero = m.lit(uint(32), 0);
        let all_of_it = [zero, rows, zero, cols, zero, zero, capacity, zero];
        let words: Vec<_> =
            (0..WORDS).map(|w| m.reg_decl(&format!("word_{w}"), uint(32))).collect();
        for (w, word) in words.iter().enumerate() {
            let above = match words.get(w + 1) {
                Some(above) => above.q(),
                None => stream.get("out_data").as_u(),
            };
            word.update(&[(start, all_of_it[w]), (shift, above)]);
        }
        have.update(&[
            (start, mux(whole, have.q().lit(WORDS as i128), have.q().lit(0))),
            (taken | give_up, have.q().lit(0)),
            (shift, have.q().inc()),
        ]);
        let left = m.state("left", uint(32), 0);
        left.update(&[(start, mux(whole, left.q().lit(1), parts)), (taken, left.q().dec())]);
        let words = words.iter().map(|word| word.q()).collect();
        let exhausted = all(&[left.q().is(0) | give_up, !taken, stream.get("idle"), !asks.q()]);
        Next { valid, words, exhausted }
    }

    /// Totals over all clusters.
    fn counters<'m>(
        &self,
        m: &'m Builder,
        clusters: &[Instance<'m>],
        (start, running): (Sig<'m>, Sig<'m>),
        ends: &[Sig<'m>],
    ) {
        m.output("cycles", counter(m, "cycles", 64, start, running).as_bits());
        let shift = self.cluster.bus_bytes.trailing_zeros();
        for (name, beat) in [("bytes_read", "read_beat"), ("bytes_written", "write_beat")] {
            let beats = clusters.iter().enumerate().map(|(c, cluster)| {
                let up = cluster.get(beat) & running;
                counter(m, &format!("{beat}s_{c}"), 64, start, up)
            });
            let total = total(m, name, beats.collect());
            m.output(name, total.shl_k(shift).trunc(64).as_bits());
        }
        let names = ["products", "windows", "spills", "restarts", "hazard_stalls", "cache_hits"];
        for name in names.into_iter().chain(["cache_misses"]) {
            let counts = clusters.iter().map(|cluster| cluster.get(name).as_u()).collect();
            m.output(name, total(m, name, counts).as_bits());
        }
        // A part's entries count when it ends.
        let entries = m.state("entries", uint(32), 0);
        let ended: Vec<Sig> = (clusters.iter().zip(ends).enumerate())
            .map(|(c, (cluster, &end))| {
                let entries = end.gate(cluster.get("nnz_c")).as_u();
                m.reg(&format!("entries_{c}"), entries)
            })
            .collect();
        let sum = ended.iter().fold(entries.q(), |sum, &part| sum.add_wrap(part));
        entries.update(&[(start, entries.q().lit(0)), (m.high(), sum)]);
        m.output("nnz_c", entries.q().as_bits());
    }
}

/// Sets a cluster's registers for a part, and starts it a cycle later.
fn give<'m>(
    m: &'m Builder,
    product: &Product<'m>,
    cluster: Instance<'m>,
    words: &[Sig<'m>],
    mine: Sig<'m>,
) {
    for (name, word) in ["first_row", "rows", "first_col", "end_col"].iter().zip(words) {
        cluster.set(name, m.reg_when(name, mine, *word));
    }
    let [c_ptr, c_col, c_val] = product.c;
    for (name, base, words) in
        [("c_ptr", c_ptr, words[4]), ("c_col", c_col, words[5]), ("c_val", c_val, words[5])]
    {
        let bytes = words.shl_k(2);
        let width = base.width().max(bytes.width());
        let place = base.resize(width).add_wrap(bytes.resize(width)).trunc(base.width());
        cluster.set(name, m.reg_when(name, mine, place));
    }
    cluster.set("c_capacity", m.reg_when("c_capacity", mine, words[6]));
    cluster.set("start", m.reg_reset("go", mine, 0));
}

/// The sum, a register behind each addition: right once nothing has changed for some cycles.
fn total<'m>(m: &'m Builder, name: &str, mut terms: Vec<Sig<'m>>) -> Sig<'m> {
    let mut level = 0;
    while terms.len() > 1 {
        let sums = terms.chunks(2).enumerate().map(|(i, pair)| {
            let sum = pair.iter().skip(1).fold(pair[0], |sum, &term| sum.add_wrap(term));
            m.reg(&format!("{name}_sum_{level}_{i}"), sum)
        });
        terms = sums.collect();
        level += 1;
    }
    terms[0]
}
