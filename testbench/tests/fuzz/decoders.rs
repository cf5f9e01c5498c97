//! Ring entries, parameter blocks, records, capability lists, firmware images.

use mattock_firmware::image::{CARD, Image};
use mattock_spec::CardConfig;
use mattock_spec::command::{
    Command, Completion, Counters, Descriptor, GemmCommand, Opcode, SpgemmCommand,
};
use mattock_spec::regs::{CAPABILITY_BASE, Capabilities, ErrorCode, capability_rom, card};

/// What is accepted is what encodes to the same bytes: nothing in them is ignored.
fn exact(bytes: &[u8]) {
    if let Ok(entry) = Descriptor::decode(bytes) {
        assert_eq!(entry.encode(), bytes);
    }
    if let Ok(record) = Completion::decode(bytes) {
        assert_eq!(record.encode(), bytes);
    }
    if let Ok(block) = GemmCommand::decode(bytes) {
        assert_eq!(block.encode(), bytes);
    }
    if let Ok(block) = SpgemmCommand::decode(bytes) {
        assert_eq!(block.encode(), bytes);
    }
    for opcode in Opcode::ALL {
        if let Ok(command) = Command::decode(opcode, bytes) {
            assert_eq!(command.opcode(), opcode);
        }
    }
    let _ = (Descriptor::cookie_of(bytes), Image::parse(bytes));
}

#[test]
fn descriptors_and_blocks() {
    let good: [Vec<u8>; 4] = [
        crate::commands::entry(Opcode::Gemm, GemmCommand::BYTES).to_vec(),
        crate::commands::dense().encode().to_vec(),
        crate::commands::sparse().encode().to_vec(),
        Completion {
            cookie: 7,
            cycles: 99,
            code: ErrorCode::Busy,
            info: 3,
            result: 4,
            opcode: 2,
            queue: 1,
            counters: Counters { bytes_read: 64, windows: 5, ..Counters::default() },
            phase: true,
        }
        .encode()
        .to_vec(),
    ];
    let target = bolero::check!().with_test_time(crate::time());
    target.with_type::<(u8, Vec<(u8, u8)>, u8, Vec<u8>)>().for_each(
        |(kind, changes, cut, noise)| {
            exact(noise);
            let mut bytes = good[usize::from(*kind) % good.len()].clone();
            crate::damage(&mut bytes, crate::few(changes, *cut), *cut);
            exact(&bytes);
        },
    );
}

/// A list of capabilities that is any words at all is read to an end, and a damaged one is refused or still makes sense.
#[test]
fn capability_lists() {
    let rom = capability_rom(&CardConfig::reference("small").unwrap());
    let target = bolero::check!().with_test_time(crate::time());
    target.with_type::<(Vec<(u8, u32)>, u16)>().for_each(|(changes, first)| {
        let mut words = rom.clone();
        for (at, value) in changes {
            let at = usize::from(*at) % words.len();
            words[at] = *value;
        }
        let mut reads = 0;
        let caps = Capabilities::parse(|at| {
            reads += 1;
            assert!(reads < 100_000 && at.is_multiple_of(4), "{reads} reads, {at:#x}");
            match at {
                _ if at == card::ID.address() => card::MAGIC,
                _ if at == card::VERSION.address() => card::VERSION_MINOR,
                _ if at == card::CAP_PTR.address() && changes.len() % 4 == 3 => (*first).into(),
                _ if at == card::CAP_PTR.address() => CAPABILITY_BASE,
                _ => {
                    let word = at.checked_sub(CAPABILITY_BASE).map(|i| i as usize / 4);
                    word.and_then(|i| words.get(i)).copied().unwrap_or(0)
                }
            }
        });
        if let Ok(caps) = caps {
            // What the command logic makes of it must not panic either.
            let _ = mattock_firmware::Limits::of(&caps).words();
        }
    });
}

/// A damaged program is never taken for whole.
#[test]
fn firmware_images() {
    let target = bolero::check!().with_test_time(crate::time());
    target.with_type::<(Vec<(u16, u8)>, u8)>().for_each(|(changes, cut)| {
        let mut bytes = CARD.to_vec();
        for (at, value) in changes {
            let at = usize::from(*at) % bytes.len();
            bytes[at] = *value;
        }
        bytes.truncate(bytes.len() - usize::from(*cut) % 64);
        // Bytes 12..16 say which version it is, and may say anything.
        let same = bytes.len() == CARD.len()
            && (0..CARD.len()).all(|i| (12..16).contains(&i) || bytes[i] == CARD[i]);
        assert_eq!(Image::parse(&bytes).is_ok(), same);
    });
}
