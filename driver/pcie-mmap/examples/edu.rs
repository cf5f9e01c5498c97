//! Drives QEMU's `edu`, a device for teaching that this project has no part in: `edu 0000:00:04.0`.
//!
//! Registers, an interrupt, DMA both ways, and DMA to memory that was taken away. The device and its registers are
//! described in QEMU's `docs/specs/edu.rst`.

use pcie_mmap::{Access, Error, EventFd, IrqKind, Memory, PciDevice, VfioPci};
use std::time::{Duration, Instant};

const ID: u64 = 0x00;
const LIVENESS: u64 = 0x04;
const FACTORIAL: u64 = 0x08;
const STATUS: u64 = 0x20;
const RAISE: u64 = 0x60;
const ACKNOWLEDGE: u64 = 0x64;
const DMA_SOURCE: u64 = 0x80;
const DMA_DESTINATION: u64 = 0x88;
const DMA_COUNT: u64 = 0x90;
const DMA_COMMAND: u64 = 0x98;
/// Where the device's own 4 KiB are, seen by its DMA.
const BUFFER: u32 = 0x4_0000;
/// Its address lines do not reach further.
const IOVA: u32 = 0x100_0000;
const BYTES: usize = 2048;

fn main() {
    let run = || -> Result<(), Box<dyn std::error::Error>> {
        let address = std::env::args().nth(1).ok_or("name a device, such as 0000:00:04.0")?;
        let mut device = VfioPci::open(address.parse()?)?;
        drive(&mut device)
    };
    match run() {
        Ok(()) => println!("edu: well"),
        Err(error) => {
            println!("edu: {error}");
            std::process::exit(1);
        }
    }
}

fn drive(device: &mut dyn PciDevice) -> Result<(), Box<dyn std::error::Error>> {
    let check =
        |what: &str, right: bool| if right { Ok(()) } else { Err(format!("{what} is wrong")) };
    check("identity", device.read32(0, ID)? & 0xffff == 0x00ed)?;
    device.write32(0, LIVENESS, 0x1234_5678)?;
    check("liveness", device.read32(0, LIVENESS)? == !0x1234_5678)?;
    device.write32(0, FACTORIAL, 10)?;
    until("factorial", || Ok(device.read32(0, STATUS)? & 1 == 0))?;
    check("factorial", device.read32(0, FACTORIAL)? == 3_628_800)?;
    println!("edu: registers");

    let event = EventFd::new()?;
    device.set_interrupts(IrqKind::Msi, &[&event])?;
    device.set_bus_master(true)?;
    for word in [1, 0x8000_0000] {
        let start = Instant::now();
        device.write32(0, RAISE, word)?;
        check("interrupt", device.wait(&event, Duration::from_secs(5))?)?;
        device.write32(0, ACKNOWLEDGE, word)?;
        println!("edu: interrupt after {:.1?}", start.elapsed());
    }

    let memory = Memory::new(2 * BYTES)?;
    device.dma_map(&memory, IOVA.into(), Access::ReadWrite)?;
    let sent: Vec<u8> = (0..BYTES).map(|i| (i * 31 + i / 256) as u8).collect();
    memory.map().write(0, &sent)?;
    copy(device, IOVA, BUFFER, 0)?;
    copy(device, BUFFER, IOVA + BYTES as u32, 2)?;
    let mut came = vec![0; BYTES];
    memory.map().read(BYTES, &mut came)?;
    check("DMA", sent == came)?;
    println!("edu: DMA both ways");

    memory.map().write(BYTES, &[0; BYTES])?;
    device.dma_unmap(IOVA.into(), memory.len())?;
    check("the second unmapping", device.dma_unmap(IOVA.into(), memory.len()).is_err())?;
    copy(device, BUFFER, IOVA + BYTES as u32, 2)?;
    memory.map().read(BYTES, &mut came)?;
    check("memory that was unmapped", came.iter().all(|byte| *byte == 0))?;
    println!("edu: no DMA into memory that was unmapped");
    // It has no function level reset, and so none is promised.
    check("reset", matches!(device.reset(), Ok(()) | Err(Error::Unsupported { .. })))?;
    check("a register outside", device.read32(0, device.bar_len(0)).is_err())?;
    Ok(())
}

/// The device takes 100 ms for a transfer.
fn copy(device: &mut dyn PciDevice, from: u32, to: u32, direction: u32) -> Result<(), Error> {
    device.write32(0, DMA_SOURCE, from)?;
    device.write32(0, DMA_DESTINATION, to)?;
    device.write32(0, DMA_COUNT, BYTES as u32)?;
    device.write32(0, DMA_COMMAND, 1 | direction)?;
    until("DMA", || Ok(device.read32(0, DMA_COMMAND)? & 1 == 0))
}

fn until(what: &'static str, mut done: impl FnMut() -> Result<bool, Error>) -> Result<(), Error> {
    let (start, after) = (Instant::now(), Duration::from_secs(10));
    while !done()? {
        if start.elapsed() > after {
            return Err(Error::Timeout { device: "edu".into(), what, after });
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}
