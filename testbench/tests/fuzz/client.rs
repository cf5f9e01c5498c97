//! A vfio-user client and servers that answer anything.

use pcie_mmap::{Access, EventFd, IrqKind, Memory, PciDevice, VfioUser};
use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// Servers refused, and devices used.
static REACHED: [AtomicU64; 2] = [AtomicU64::new(0), AtomicU64::new(0)];

/// Flags, changes, cut, noise in place of the answer.
type Answer = (u8, Vec<(u8, u8)>, u8, Option<Vec<u8>>);

/// What a good server says about a card.
fn good(command: u16, body: &[u8]) -> Vec<u8> {
    let words = |words: &[u32]| words.iter().flat_map(|w| w.to_le_bytes()).collect::<Vec<u8>>();
    let index = body.get(8).copied().unwrap_or(0).into();
    match command {
        1 => [&[0, 0, 1, 0][..], b"{\"capabilities\":{}}\0"].concat(),
        4 => words(&[16, 3, 9, 5]),
        5 => words(&[32, 3, index, 0, 0x1000, 0, 0, 0]),
        7 => words(&[16, 1, index, 4]),
        9 => {
            let count = body.get(12).copied().unwrap_or(0);
            [body, &vec![0; count.into()][..]].concat()
        }
        10 => body.get(..16).unwrap_or_default().to_vec(),
        _ => vec![],
    }
}

/// Answers one client until the answers are used up, then leaves.
fn serve(listener: &UnixListener, answers: &[Answer]) {
    let Ok((mut stream, _)) = listener.accept() else { return };
    for (flags, changes, cut, noise) in answers {
        let mut header = [0; 16];
        if stream.read_exact(&mut header).is_err() {
            return;
        }
        let size = u32::from_le_bytes([header[4], header[5], header[6], header[7]]);
        let mut body = vec![0; size as usize - 16];
        if stream.read_exact(&mut body).is_err() {
            return;
        }
        let command = u16::from_le_bytes([header[2], header[3]]);
        let mut answer = match noise {
            Some(noise) if flags % 8 == 3 => noise.clone(),
            _ => good(command, &body),
        };
        crate::damage(&mut answer, &changes[..changes.len().min(2)], *cut);
        let mut reply = header[..4].to_vec();
        reply.extend((16 + answer.len() as u32).to_le_bytes());
        let flags = if flags % 16 == 7 { u32::from(*flags) } else { 1 };
        reply.extend(flags.to_le_bytes());
        reply.extend([0; 4]);
        reply.extend(answer);
        if changes.len() == 5 {
            let at = usize::from(changes[4].0) % 16;
            reply[at] = changes[4].1;
            // It may say that more is coming; nothing is, and nobody waits for it.
            let _ = stream.write_all(&reply);
            return;
        }
        if stream.write_all(&reply).is_err() {
            return;
        }
    }
}

/// Everything a client can ask; whatever it gets, it comes to an end.
fn use_device(socket: &Path, memory: &Memory, event: &EventFd) {
    let opened = VfioUser::open(socket);
    REACHED[usize::from(opened.is_ok())].fetch_add(1, Ordering::Relaxed);
    let Ok(mut device) = opened else { return };
    let mut bytes = [0; 8];
    let _ = device.read32(0, 0x10);
    let _ = device.read32(5, !3);
    let _ = device.write32(0, 0x10, 1);
    let _ = device.config_read(0, &mut bytes);
    let _ = device.config_write(4, &bytes[..2]);
    let _ = device.set_bus_master(true);
    let _ = pcie_mmap::config::capability(&mut device, 0x10);
    let _ = device.dma_map(memory, 0x1000, Access::ReadWrite);
    let _ = device.set_interrupts(IrqKind::MsiX, &[event]);
    let _ = device.dma_unmap(0x1000, memory.len());
    let _ = device.reset();
    let _ = (0..9).map(|bar| device.bar_len(bar)).max();
}

#[test]
fn servers_that_answer_anything() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("card.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    let (memory, event) = (Memory::new(4096).unwrap(), EventFd::new().unwrap());
    let shared = std::panic::AssertUnwindSafe((&socket, &listener, &memory, &event));
    let target = bolero::check!().with_test_time(crate::time());
    target.with_type::<Vec<Answer>>().for_each(|answers| {
        let (socket, listener, memory, event) = *shared;
        // Many answers that are right, so that what follows is reached.
        let right = (0, vec![], 0, None);
        let skipped = answers.first().map_or(0, |answer| usize::from(answer.0) % 32);
        let all: Vec<Answer> = vec![right; skipped].into_iter().chain(answers.clone()).collect();
        std::thread::scope(|scope| {
            scope.spawn(|| serve(listener, &all));
            use_device(socket, memory, event);
        });
    });
    let [refused, used] = REACHED.each_ref().map(|count| count.load(Ordering::Relaxed));
    println!("{refused} servers refused, {used} used");
    assert!(refused > 10 && used > 10, "{refused}, {used}");
}
