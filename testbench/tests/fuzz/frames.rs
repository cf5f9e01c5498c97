//! The driver's end of a serial line: whatever comes over it.

use mattock::transport::uart::{Line, Link, ReplyDecoder};
use mattock_spec::serial::{Op, SERIAL_VERSION, crc32};
use std::io;

#[test]
fn replies_in_noise() {
    let target = bolero::check!().with_test_time(crate::time());
    target.with_type::<Vec<(bool, Vec<u8>)>>().for_each(|pieces| {
        let mut decoder = ReplyDecoder::default();
        let (mut all, mut taken) = (vec![], 0);
        for (whole, bytes) in pieces {
            let mut bytes = bytes.clone();
            if *whole {
                // A frame that is right, of these bytes.
                bytes.truncate(200);
                let mut frame = vec![0x5a, 1, 2, 0];
                frame.extend((bytes.len() as u16).to_le_bytes());
                frame.extend(&bytes);
                frame.extend(crc32(&frame[1..]).to_le_bytes());
                bytes = frame;
            }
            all.extend(&bytes);
            decoder.feed(&bytes);
            taken += drain(&mut decoder, &all);
        }
        while decoder.is_waiting() {
            decoder.give_up();
            taken += drain(&mut decoder, &all);
        }
        assert_eq!(taken + decoder.skipped(), all.len() as u64, "bytes that were lost");
    });
}

/// Takes what is there; how many bytes that was. Every reply stands in the bytes with its check.
fn drain(decoder: &mut ReplyDecoder, all: &[u8]) -> u64 {
    let mut taken = 0;
    while let Some(reply) = decoder.next_reply() {
        let mut body = vec![reply.seq, reply.next, reply.status];
        body.extend((reply.payload.len() as u16).to_le_bytes());
        body.extend(&reply.payload);
        body.extend(crc32(&body).to_le_bytes());
        assert!(all.windows(body.len()).any(|w| w == body), "a reply that never came");
        taken += 1 + body.len() as u64;
    }
    taken
}

/// A line on which a card that is none answers what it likes, for a while.
struct Babble<'a> {
    pieces: &'a [(u8, Vec<u8>)],
    next: usize,
    asked: Vec<u8>,
    calls: usize,
}

impl Line for Babble<'_> {
    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.asked = bytes.to_vec();
        Ok(())
    }

    fn receive(&mut self, buffer: &mut [u8], _: usize, _: u32) -> io::Result<usize> {
        self.calls += 1;
        assert!(self.calls < 100_000, "asked for ever");
        let Some((kind, bytes)) = self.pieces.get(self.next) else { return Ok(0) };
        self.next += 1;
        let mut answer = bytes.clone();
        if kind % 4 != 0 && self.asked.len() > 4 {
            // A frame with a right check that answers what was asked, or nearly.
            answer.truncate(usize::from(*kind));
            if self.asked[2] == Op::Hello as u8 {
                // The greeting: nonce, version, payload, window, memory; with what came laid over its end.
                let mut hello = self.asked[5..9].to_vec();
                hello.extend([SERIAL_VERSION as u8, 0, 0, 1, 0, 8, 0, 0, 0, 0, 1, 0]);
                let keep =
                    hello.len() - answer.len().min(hello.len() - 4) * usize::from(kind % 8 == 1);
                hello.truncate(keep);
                hello.extend(answer.iter().take(16 - keep));
                answer = hello;
            }
            let mut frame =
                vec![0x5a, self.asked[1].wrapping_add(kind >> 6), self.asked[1].wrapping_add(1), 0];
            frame.extend((answer.len() as u16).to_le_bytes());
            frame.extend(&answer);
            frame.extend(crc32(&frame[1..]).to_le_bytes());
            answer = frame;
        }
        let n = answer.len().min(buffer.len());
        buffer[..n].copy_from_slice(&answer[..n]);
        Ok(n)
    }
}

#[test]
fn a_card_that_answers_anything() {
    let target = bolero::check!().with_test_time(crate::time());
    target.with_type::<Vec<(u8, Vec<u8>)>>().for_each(|pieces| {
        let mut line = Babble { pieces, next: 0, asked: vec![], calls: 0 };
        let Ok(mut link) = Link::open(&mut line, 0x1234_5678) else { return };
        let mut back = [0; 300];
        let _ = link.read(&mut line, Op::ReadMemory, 64, &mut back);
        let _ = link.write(&mut line, Op::WriteMemory, 64, &back);
        let _ = (link.memory_bytes(), link.interrupt(), link.counts());
    });
}
