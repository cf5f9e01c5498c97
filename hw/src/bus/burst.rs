//! Cuts a command into bursts; the part that reading and writing share.

use crate::cells::Skid;
use rtl_gen::bundle::Stream;
use rtl_gen::{Builder, Instance, Sig, bit, bits, cat, uint};

/// Most beats of a command.
const MOST_BEATS: u32 = 1 << 16;

/// Bits of a command's beat count: 2^16 beats, or all there are behind a narrow address.
pub(crate) fn beats_bits(data_bits: u32, addr_bits: u32) -> u32 {
    let all = addr_bits - (data_bits / 8).ilog2();
    all.min(MOST_BEATS.ilog2()) + 1
}

/// Checks what both masters are parametrised with.
pub(super) fn check(
    data_bits: u32,
    addr_bits: u32,
    max_burst: u32,
    outstanding: u32,
) -> Result<(), String> {
    if !data_bits.is_power_of_two() || !(32..=1024).contains(&data_bits) {
        return Err(format!("data_bits {data_bits} is not a power of two from 32 to 1024"));
    }
    if !(13..=64).contains(&addr_bits) {
        return Err(format!("addr_bits {addr_bits} is not in 13..=64"));
    }
    let longest = (4096 * 8 / data_bits).min(256);
    if !max_burst.is_power_of_two() || !(2..=longest).contains(&max_burst) {
        return Err(format!(
            "max_burst {max_burst} is not a power of two from 2 to {longest}, 4 KiB of {data_bits} bits"
        ));
    }
    if !outstanding.is_power_of_two() || !(2..=1024).contains(&outstanding) {
        return Err(format!("outstanding {outstanding} is not a power of two from 2 to 1024"));
    }
    Ok(())
}

/// What the splitter needs to know.
pub(super) struct Splitter<'m> {
    /// Data bus width.
    pub(super) data_bits: u32,
    /// Longest burst in beats.
    pub(super) max_burst: u32,
    /// `ar` or `aw`.
    pub(super) channel: &'static str,
    /// A further burst may be outstanding.
    pub(super) slot: Sig<'m>,
    /// Drop commands, start no burst.
    pub(super) flush: Sig<'m>,
}

/// A burst as it enters the address channel.
pub(super) struct Burst<'m> {
    /// A burst is issued this cycle; its answer must be accounted for.
    pub(super) issue: Sig<'m>,
    /// It is the last of its command.
    pub(super) last: Sig<'m>,
    /// Beats less one, `bits(8)`.
    pub(super) len: Sig<'m>,
    /// Bits 31:0 of its address (fewer when there are not as many).
    pub(super) addr_low: Sig<'m>,
    /// A command is in work.
    pub(super) active: Sig<'m>,
}

impl<'m> Splitter<'m> {
    /// Draws command port, splitter and address channel. One burst a cycle, also when every command
    /// is one burst. Latency 2 from the command to the address channel.
    pub(super) fn draw(self, m: &'m Builder, addr_bits: u32) -> Burst<'m> {
        let cmd_valid = m.input("cmd_valid", bit());
        let cmd_addr = m.input("cmd_addr", uint(addr_bits));
        let beats_ty = uint(beats_bits(self.data_bits, addr_bits));
        let cmd_beats = m.input("cmd_beats", beats_ty);
        m.port_doc("cmd_addr", "byte address, a multiple of the bus width");
        m.port_doc("cmd_beats", &format!("data beats, 1 to {}", 1u64 << (beats_ty.width() - 1)));
        let shift = (self.data_bits / 8).trailing_zeros();
        let page = self.max_burst.trailing_zeros();

        let active = m.state("active", bit(), 0);
        let addr = m.reg_decl("addr", bits(addr_bits - shift));
        let left = m.reg_decl("left", beats_ty);

        // Bursts end at multiples of max_burst beats: no boundary of 4 KiB is ever crossed, and the
        // next address is an increment of the upper bits.
        let in_page = addr.q().slice(page - 1, 0).as_u();
        let room = (m.lit(uint(page + 1), self.max_burst.into()) - in_page).trunc(page + 1).as_u();
        let room = room.zext(beats_ty.width());
        let last = left.q().le(room).named("last_burst");
        let beats = last.mux(left.q(), room).named("burst_beats");
        let len = beats.dec().trunc(8).as_bits().named("burst_len");

        let skid = m.inst("address_stage", &Skid { width: addr_bits - shift + 8 });
        let issue = (active.q() & self.slot & skid.get("in_ready") & !self.flush).named("issue");
        skid.set("in_valid", issue).set("in_data", cat(&[addr.q(), len]));

        let ready = (!active.q() | (issue & last) | self.flush).named("cmd_free");
        let take = (cmd_valid & ready & !self.flush).named("take");
        active.drive(take | (active.q() & !(issue & last) & !self.flush));
        let next_page = addr.q().slice(addr_bits - shift - 1, page).as_u().inc();
        let next = cat(&[next_page, m.lit(bits(page), 0)]);
        addr.update(&[(take, cmd_addr.slice(addr_bits - 1, shift)), (issue, next)]);
        left.update(&[(take, cmd_beats), (issue, left.q().sub_wrap(beats))]);
        m.output("cmd_ready", ready);

        let offered = cmd_valid & !self.flush;
        m.assert("command_aligned", !offered | cmd_addr.slice(shift - 1, 0).is(0));
        m.assert(
            "command_not_empty",
            !offered
                | (!cmd_beats.is(0) & cmd_beats.le(cmd_beats.lit(1 << (beats_ty.width() - 1)))),
        );
        self.address_channel(m, skid, addr_bits);
        let top = (addr_bits - 1).min(31);
        let byte_addr = cat(&[addr.q(), m.lit(bits(shift), 0)]);
        Burst { issue, last, len, addr_low: byte_addr.slice(top, 0), active: active.q() }
    }

    fn address_channel(&self, m: &'m Builder, skid: Instance<'m>, addr_bits: u32) {
        let shift = (self.data_bits / 8).trailing_zeros();
        let fields = [
            ("id", bit()),
            ("addr", uint(addr_bits)),
            ("len", uint(8)),
            ("size", uint(3)),
            ("burst", bits(2)),
            ("cache", bits(4)),
            ("prot", bits(3)),
        ];
        let bus = Stream::output_with_prefix(m, &format!("m_axi_{}", self.channel), &fields);
        let (valid, data) = (skid.get("out_valid"), skid.get("out_data"));
        skid.set("out_ready", bus.ready);
        let (beat_addr, len) = (data.slice(addr_bits - shift + 7, 8), data.slice(7, 0).as_u());
        let values = [
            ("id", m.low()),
            ("addr", cat(&[beat_addr, m.lit(bits(shift), 0)]).as_u()),
            ("len", len),
            ("size", m.lit(uint(3), shift.into())),
            ("burst", m.lit(bits(2), 1)), // INCR
            ("cache", m.lit(bits(4), 3)), // normal memory, bufferable, not cacheable
            ("prot", m.lit(bits(3), 2)),  // data, non-secure, unprivileged
        ];
        bus.drive(valid, &values);
        bus.assert_protocol();

        let in_4k = beat_addr.slice(11 - shift, 0).as_u();
        let width = in_4k.width().max(8) + 1;
        let end = in_4k.zext(width).add_wrap(len.zext(width));
        let limit = end.lit(i128::from(4096u32 >> shift));
        m.assert(&format!("{}_within_4k", self.channel), !valid | end.lt(limit));
    }
}
