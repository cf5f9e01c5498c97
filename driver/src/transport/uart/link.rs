//! Requests that are done exactly once, over a line that may lose, change or double bytes.

use super::frame::{REPLY_BYTES, Reply, ReplyDecoder, request};
use mattock_spec::serial::{
    CRC_BYTES, HELLO_BYTES, MAX_FRAME_BYTES, MAX_PAYLOAD, Op, REQUEST_HEADER_BYTES, SERIAL_VERSION,
    STATUS_INTERRUPT, Status,
};
use std::collections::VecDeque;
use std::io;

/// Tries of a request, the first included.
const TRIES: u32 = 7;
/// Tries to begin a session with what gives no reply, not even one to an earlier host: it is soon given up.
const OPEN_TRIES: u32 = 4;
/// Requests under way at once; sequence numbers tell 128 apart.
const WINDOW_FRAMES: usize = 32;

/// Where the bytes go: a serial device, or a simulated card.
pub trait Line {
    /// Sends bytes.
    ///
    /// # Errors
    /// The line is gone.
    fn send(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Waits for bytes and takes at least one: 0 only after a silence that is longer than a living card takes to
    /// begin its answer to `pending` bytes sent. Each further `attempt` waits twice as long: a card on a slow or busy
    /// machine is behind, and asking it again puts it further behind.
    ///
    /// # Errors
    /// The line is gone.
    fn receive(&mut self, buffer: &mut [u8], pending: usize, attempt: u32) -> io::Result<usize>;
}

/// Why a request could not be done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// Nothing answers, or nothing that makes sense.
    #[error(
        "no answer in {tries} tries ({received} bytes came, none of them a reply): check the cable, the baud rate, and that the card is configured"
    )]
    Silent {
        /// How often it was asked.
        tries: u32,
        /// Bytes received in the meantime.
        received: u64,
    },
    /// The card has forgotten the session: it was reset or configured anew.
    #[error("the card was reset behind our back: open it again")]
    SessionLost,
    /// The card speaks another version of the frames.
    #[error(
        "the card speaks version {card} of the serial frames, this library {SERIAL_VERSION}: update the older one"
    )]
    Version {
        /// The card's.
        card: u16,
    },
    /// The card refused an access.
    #[error("the card refused {op:?} of {bytes} bytes at {address:#x}: {status:?}")]
    Refused {
        /// What was asked.
        op: Op,
        /// Where.
        address: u32,
        /// How many bytes.
        bytes: usize,
        /// Its answer.
        status: Status,
    },
    /// The card answers with something that no card of ours sends.
    #[error("the card's answer makes no sense: {0}")]
    Nonsense(&'static str),
    /// The line is gone.
    #[error("the serial line failed: {0}")]
    Line(#[from] io::Error),
}

/// What happened on the line so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkCounts {
    /// Requests sent, repetitions included.
    pub sent: u64,
    /// Of these, repetitions.
    pub repeated: u64,
    /// Bytes received that belonged to no reply.
    pub noise: u64,
}

/// A request not yet answered.
#[derive(Clone, Debug)]
struct Pending {
    seq: u8,
    op: Op,
    address: u32,
    length: usize,
    frame: Vec<u8>,
    /// Where in the caller's data the answer belongs.
    at: usize,
}

impl Pending {
    /// Bytes the card keeps of it.
    fn weight(&self) -> usize {
        self.frame.len() - 1 - CRC_BYTES as usize
    }

    /// Bytes of its answer.
    fn reply_bytes(&self) -> usize {
        REPLY_BYTES + if self.op.has_payload() { 0 } else { self.length }
    }
}

/// A session with a card.
///
/// Up to a window of requests are under way at once. The card does them in order, each once; when one is lost, the
/// card refuses those after it, and all of them are sent again. Nothing is taken for an answer that is not one to
/// this very request.
#[derive(Debug)]
pub struct Link {
    next: u8,
    window_bytes: usize,
    payload: usize,
    memory_bytes: u32,
    interrupt: bool,
    decoder: ReplyDecoder,
    counts: LinkCounts,
}

impl Link {
    /// Begins a session. `nonce` tells its answer from those to an earlier one that may still be coming.
    ///
    /// # Errors
    /// [`LinkError::Silent`], [`LinkError::Version`], [`LinkError::Nonsense`], [`LinkError::Line`].
    pub fn open(line: &mut dyn Line, nonce: u32) -> Result<Link, LinkError> {
        let mut link = Link {
            next: nonce as u8,
            window_bytes: 0,
            payload: 0,
            memory_bytes: 0,
            interrupt: false,
            decoder: ReplyDecoder::default(),
            counts: LinkCounts::default(),
        };
        let (mut tries, mut received, mut alive) = (0, 0, false);
        let mut buffer = [0; 1024];
        while tries < if alive { TRIES } else { OPEN_TRIES } {
            // Ends whatever request an earlier host left half sent: no more than this can be missing.
            line.send(&[0xff; MAX_FRAME_BYTES as usize])?;
            line.send(&request(link.next, Op::Hello, nonce, 0, &[]))?;
            link.counts.sent += 1;
            link.counts.repeated += u64::from(tries > 0);
            // More than all replies that may be on their way to an earlier host.
            let mut patience = 2 * WINDOW_FRAMES * MAX_FRAME_BYTES as usize;
            loop {
                let n = line.receive(&mut buffer, 2 * MAX_FRAME_BYTES as usize, tries)?;
                received += n as u64;
                link.decoder.feed(&buffer[..n]);
                if link.find_hello(nonce, &mut alive)? {
                    return Ok(link);
                }
                if n == 0 {
                    link.decoder.give_up();
                    if !link.decoder.is_waiting() {
                        break;
                    }
                }
                // A babbling device is no card.
                patience = patience.saturating_sub(n);
                if patience == 0 {
                    break;
                }
            }
            tries += 1;
        }
        Err(LinkError::Silent { tries, received })
    }

    /// Whether the answer to our hello has come; `alive`: any reply has.
    fn find_hello(&mut self, nonce: u32, alive: &mut bool) -> Result<bool, LinkError> {
        while let Some(reply) = self.decoder.next_reply() {
            *alive = true;
            let Ok(p) = <[u8; HELLO_BYTES as usize]>::try_from(&reply.payload[..]) else {
                continue;
            };
            if reply.seq != self.next || p[..4] != nonce.to_le_bytes() {
                continue;
            }
            let half = |i: usize| u16::from_le_bytes([p[i], p[i + 1]]);
            if u32::from(half(4)) != SERIAL_VERSION {
                return Err(LinkError::Version { card: half(4) });
            }
            self.payload = usize::from(half(6)).min(MAX_PAYLOAD as usize) & !63;
            self.window_bytes = half(8).into();
            if self.payload == 0 || self.window_bytes < self.payload + REQUEST_HEADER_BYTES as usize
            {
                return Err(LinkError::Nonsense("its window holds no request"));
            }
            self.memory_bytes = u32::from_le_bytes([p[12], p[13], p[14], p[15]]);
            self.take_status(&reply);
            self.next = self.next.wrapping_add(1);
            return Ok(true);
        }
        Ok(false)
    }

    /// Bytes of card memory, from address 0 on.
    pub fn memory_bytes(&self) -> u32 {
        self.memory_bytes
    }

    /// Whether the card's interrupt was up when it answered last.
    pub fn interrupt(&self) -> bool {
        self.interrupt
    }

    /// What happened on the line.
    pub fn counts(&self) -> LinkCounts {
        LinkCounts { noise: self.decoder.skipped(), ..self.counts }
    }

    /// Reads registers or memory.
    ///
    /// # Errors
    /// [`LinkError`]; `data` is then of no use.
    pub fn read(
        &mut self,
        line: &mut dyn Line,
        op: Op,
        address: u32,
        data: &mut [u8],
    ) -> Result<(), LinkError> {
        let pieces = data.len().div_ceil(self.payload);
        let (payload, total) = (self.payload, data.len());
        let piece = |i: usize| (payload * i, payload.min(total - payload * i));
        self.transfer(
            line,
            pieces,
            |seq, i| {
                let (at, length) = piece(i);
                let address = address.wrapping_add(at as u32);
                let frame = request(seq, op, address, length, &[]);
                Pending { seq, op, address, length, frame, at }
            },
            |pending, bytes| data[pending.at..pending.at + pending.length].copy_from_slice(bytes),
        )
    }

    /// Writes registers or memory; returns when the card has taken all of it.
    ///
    /// # Errors
    /// [`LinkError`]; some of it may have been written.
    pub fn write(
        &mut self,
        line: &mut dyn Line,
        op: Op,
        address: u32,
        data: &[u8],
    ) -> Result<(), LinkError> {
        let payload = self.payload;
        self.transfer(
            line,
            data.len().div_ceil(payload),
            |seq, i| {
                let at = payload * i;
                let part = &data[at..data.len().min(at + payload)];
                let address = address.wrapping_add(at as u32);
                let frame = request(seq, op, address, part.len(), part);
                Pending { seq, op, address, length: part.len(), frame, at }
            },
            |_, _| (),
        )
    }

    /// Does `count` requests, as many at once as the card can hold.
    fn transfer(
        &mut self,
        line: &mut dyn Line,
        count: usize,
        mut make: impl FnMut(u8, usize) -> Pending,
        mut take: impl FnMut(&Pending, &[u8]),
    ) -> Result<(), LinkError> {
        let mut window: VecDeque<Pending> = VecDeque::new();
        let (mut made, mut weight) = (0, 0);
        let mut buffer = [0; 4096];
        // Times the oldest request was sent in vain, and whether a gap has been answered already.
        let (mut tries, mut resent, mut received) = (1, false, 0);
        // A request that was refused; the ones behind it are waited for, so that none is left over.
        let mut refused = None;
        loop {
            while made < count && window.len() < WINDOW_FRAMES && refused.is_none() {
                let pending = make(self.next, made);
                if !window.is_empty() && weight + pending.weight() > self.window_bytes {
                    break;
                }
                line.send(&pending.frame)?;
                self.counts.sent += 1;
                weight += pending.weight();
                self.next = self.next.wrapping_add(1);
                window.push_back(pending);
                made += 1;
            }
            if window.is_empty() {
                return refused.map_or(Ok(()), Err);
            }
            let pending = window.iter().map(|p| p.frame.len() + p.reply_bytes()).sum();
            let n = line.receive(&mut buffer, pending, tries - 1)?;
            received += n as u64;
            self.decoder.feed(&buffer[..n]);
            let mut gap = false;
            loop {
                let Some(reply) = self.decoder.next_reply() else {
                    // After a silence, what looks like the beginning of a reply is none.
                    if n == 0 && self.decoder.is_waiting() {
                        self.decoder.give_up();
                        continue;
                    }
                    break;
                };
                match self.settle(&reply, &window)? {
                    Settled::Stale => {}
                    Settled::Gap => gap = true,
                    Settled::Done => {
                        if let Some(done) = window.pop_front() {
                            weight -= done.weight();
                            take(&done, &reply.payload);
                            (tries, resent, received) = (1, false, 0);
                        }
                    }
                    Settled::Refused(error) => {
                        weight -= window.pop_front().map_or(0, |p| p.weight());
                        refused.get_or_insert(error);
                        (tries, resent, received) = (1, false, 0);
                    }
                }
            }
            let repeat = n == 0 || (gap && !resent);
            if window.is_empty() || !repeat {
                continue;
            }
            if n == 0 {
                tries += 1;
                if tries > TRIES {
                    return Err(LinkError::Silent { tries: TRIES, received });
                }
                // Whatever half a request the card has, this ends it.
                line.send(&[0xff; MAX_FRAME_BYTES as usize])?;
            }
            resent = true;
            for pending in &window {
                line.send(&pending.frame)?;
                self.counts.sent += 1;
                self.counts.repeated += 1;
            }
        }
    }

    /// What a reply says about the oldest request.
    fn settle(&mut self, reply: &Reply, window: &VecDeque<Pending>) -> Result<Settled, LinkError> {
        let Some(oldest) = window.front() else { return Ok(Settled::Stale) };
        let place = reply.seq.wrapping_sub(oldest.seq);
        if usize::from(place) >= window.len() {
            // To a request that has been answered before.
            return Ok(Settled::Stale);
        }
        let Some(status) = Status::from_byte(reply.status) else {
            return Err(LinkError::Nonsense("an unknown status"));
        };
        self.take_status(reply);
        match status {
            Status::NoSession => return Err(LinkError::SessionLost),
            // All before the oldest one were answered, so the card counts in another session.
            Status::Sequence if place == 0 => return Err(LinkError::SessionLost),
            Status::Sequence => return Ok(Settled::Gap),
            _ if place > 0 => {
                // The answer to the oldest one was lost on its way here.
                return Ok(Settled::Gap);
            }
            Status::Okay => {}
            status => {
                let Pending { op, address, length, .. } = *oldest;
                return Ok(Settled::Refused(LinkError::Refused {
                    op,
                    address,
                    bytes: length,
                    status,
                }));
            }
        }
        if reply.payload.len() != if oldest.op.has_payload() { 0 } else { oldest.length } {
            return Err(LinkError::Nonsense("an answer of another length"));
        }
        Ok(Settled::Done)
    }

    fn take_status(&mut self, reply: &Reply) {
        self.interrupt = reply.status & STATUS_INTERRUPT != 0;
    }
}

/// What a reply is to the oldest request.
enum Settled {
    /// Nothing.
    Stale,
    /// Something before it is missing.
    Gap,
    /// Its answer.
    Done,
    /// Its answer: no.
    Refused(LinkError),
}
