//! A simulated card as a PCI device of another process: driver, socket, simulation.

use mattock::selftest::Outcome;
use mattock::sparse::SpgemmOptions;
use mattock::{ContextOptions, Csr, Device, Error, GemmOptions, View, ViewMut};
use mattock_spec::ErrorCode;
use mattock_spec::regs::{card, gemm};
use mattock_testbench::serve::Served;
use mattock_testbench::sim::Stalls;
use pcie_mmap::{Access, EventFd, IrqKind, Memory, PciDevice, VfioUser};
use std::time::{Duration, Instant};

fn card(served: &Served) -> Device {
    Device::open(&served.url()).unwrap()
}

fn device(served: &Served) -> VfioUser {
    VfioUser::open(served.socket()).unwrap()
}

fn multiply(device: &Device, n: usize) {
    let a: Vec<i8> = (0..n * n).map(|i| (i * 37 % 251) as u8 as i8).collect();
    let card = device.context(ContextOptions::default()).unwrap();
    let view = View::<i8>::rows(&a, n, n).unwrap();
    let mut d = vec![0; n * n];
    let to = ViewMut::<i32>::rows(&mut d, n, n).unwrap();
    card.gemm(&GemmOptions::default(), 1, view, view, 0, to).unwrap().wait().unwrap();
    for (at, got) in d.iter().enumerate() {
        let (row, col) = (at / n, at % n);
        let products = (0..n).map(|i| i32::from(a[row * n + i]) * i32::from(a[i * n + col]));
        assert_eq!(*got, products.sum::<i32>(), "at {row},{col}");
    }
}

#[path = "../../driver/examples/product.rs"]
mod example;

#[test]
fn the_example_of_the_documentation() {
    assert_eq!(example::product(&Served::start("small", None).url()).unwrap(), [4, 5, 10, 11]);
}

#[test]
fn every_self_test_passes_and_results_are_those_of_a_card_in_this_process() {
    let served = Served::start("small", Some(Stalls { seed: 3, chance: 60 }));
    let card = card(&served);
    let checks = card.selftest(|_| {});
    assert_eq!(checks.len(), 9);
    for check in &checks {
        assert!(matches!(check.outcome, Outcome::Passed(_)), "{check:?}");
    }
    multiply(&card, 21);
    let columns = (0..30u32).flat_map(|r| (0..3).map(move |i| (r % 10) + 10 * i)).collect();
    let row_ptr = (0..=30).map(|r| 3 * r).collect();
    let a = Csr::new(30, 30, row_ptr, columns, (0..90).map(|v| v - 45).collect()).unwrap();
    let card = card.context(ContextOptions::default()).unwrap();
    let (c, _) = card.spgemm(&a, &a, &SpgemmOptions::default()).unwrap();
    assert_eq!(c, mattock_testbench::reference::spgemm(&a, &a).unwrap());
}

/// Nobody else gets in, and whoever comes after the first has left finds a card as after power-up.
#[test]
fn one_client_at_a_time() {
    let served = Served::start("small", None);
    let first = card(&served);
    let start = Instant::now();
    assert!(matches!(Device::open(&served.url()), Err(Error::Busy { .. })));
    assert!(start.elapsed() < Duration::from_secs(3));
    multiply(&first, 7);
    first.transport().write32(card::SCRATCH.address(), 77).unwrap();
    drop(first);
    let next = card(&served);
    assert_eq!(next.transport().read32(card::SCRATCH.address()).unwrap(), 0);
    multiply(&next, 7);
}

/// Starts a product of `n` x `n` zeros by registers, on memory at 1 MiB, and does not wait for it.
fn begin(device: &mut VfioUser, memory: &Memory, n: u32) {
    let base = 0x10_0000;
    device.dma_map(memory, base, Access::ReadWrite).unwrap();
    device.set_bus_master(true).unwrap();
    let mut put = |reg: mattock_spec::regs::Reg, value: u32| {
        device.write32(0, reg.address().into(), value).unwrap();
    };
    put(gemm::MODE, 0xf << 16);
    for reg in [gemm::M, gemm::N, gemm::K, gemm::A_STRIDE, gemm::B_STRIDE] {
        put(reg, n);
    }
    put(gemm::A_LO, base as u32);
    put(gemm::B_LO, base as u32 + n * n);
    put(gemm::D_LO, base as u32 + 2 * n * n);
    put(gemm::D_STRIDE, 4 * n);
    put(gemm::START, 1);
    let status = device.read32(0, gemm::STATUS.address().into()).unwrap();
    assert_eq!(gemm::STATUS::BUSY.get(status), 1, "too small to be interrupted");
}

#[test]
fn a_client_that_dies_in_the_middle_of_dma_is_survived() {
    let served = Served::start("small", Some(Stalls { seed: 1, chance: 100 }));
    for after in [0, 1, 5, 20] {
        let mut device = device(&served);
        let memory = Memory::new(1 << 20).unwrap();
        begin(&mut device, &memory, 128);
        std::thread::sleep(Duration::from_millis(after));
        drop(memory);
        drop(device);
    }
    multiply(&card(&served), 9);
}

#[test]
fn memory_taken_away_under_a_command_ends_it_with_an_error() {
    let served = Served::start("small", None);
    let mut device = device(&served);
    let memory = Memory::new(1 << 20).unwrap();
    let event = EventFd::new().unwrap();
    device.set_interrupts(IrqKind::MsiX, &[&event]).unwrap();
    device.write32(0, card::IRQ_ENABLE.address().into(), 3).unwrap();
    begin(&mut device, &memory, 128);
    device.dma_unmap(0x10_0000, memory.len()).unwrap();
    assert!(device.wait(&event, Duration::from_secs(30)).unwrap(), "no interrupt");
    let status = device.read32(0, gemm::STATUS.address().into()).unwrap();
    let code = ErrorCode::from_u8(gemm::STATUS::ERROR.get(status) as u8).unwrap();
    let decode = [ErrorCode::ReadDecodeError, ErrorCode::WriteDecodeError];
    assert!(decode.contains(&code), "{}", code.name());
    drop(device);
    multiply(&card(&served), 9);
}

#[test]
fn a_card_that_is_no_bus_master_moves_nothing() {
    let served = Served::start("small", None);
    let card = card(&served);
    multiply(&card, 5);
    drop(card);
    let mut device = device(&served);
    let memory = Memory::new(1 << 20).unwrap();
    begin(&mut device, &memory, 128);
    device.set_bus_master(false).unwrap();
    let end = Instant::now() + Duration::from_secs(20);
    let error = loop {
        let status = device.read32(0, gemm::STATUS.address().into()).unwrap();
        if gemm::STATUS::DONE.get(status) == 1 {
            break gemm::STATUS::ERROR.get(status);
        }
        assert!(Instant::now() < end);
    };
    assert_ne!(error, 0);
}

/// As a kernel asks for it: by a bit in configuration space, in the middle of a command.
#[test]
fn function_level_reset() {
    let served = Served::start("small", Some(Stalls { seed: 2, chance: 50 }));
    let mut device = device(&served);
    let express = pcie_mmap::config::capability(&mut device, 0x10).unwrap().unwrap();
    let memory = Memory::new(1 << 20).unwrap();
    for _ in 0..3 {
        device.write32(0, card::SCRATCH.address().into(), 5).unwrap();
        begin(&mut device, &memory, 128);
        device.config_write(express + 8, &0x8000u16.to_le_bytes()).unwrap();
        assert_eq!(device.read32(0, card::SCRATCH.address().into()).unwrap(), 0);
        assert_eq!(device.read32(0, card::STATUS.address().into()).unwrap(), 0);
        let mut command = [0; 2];
        device.config_read(4, &mut command).unwrap();
        assert_eq!(command, [0, 0], "bus master is off");
        device.dma_unmap(0x10_0000, memory.len()).unwrap();
    }
    drop(device);
    multiply(&card(&served), 9);
}

/// Odd accesses of a guest: parts of registers, several at once, the MSI-X table.
#[test]
fn registers_by_parts() {
    let served = Served::start("small", None);
    let mut client = vfio_user::Client::new(served.socket()).unwrap();
    let scratch = u64::from(card::SCRATCH.address());
    client.region_write(0, scratch, &[1, 2, 3, 4]).unwrap();
    client.region_write(0, scratch + 1, &[9, 8]).unwrap();
    let mut bytes = [0; 8];
    client.region_read(0, scratch - 3, &mut bytes).unwrap();
    assert_eq!(bytes[3..7], [1, 9, 8, 4]);
    client.region_write(2, 0x10, &[7; 16]).unwrap();
    client.region_read(2, 0x14, &mut bytes).unwrap();
    assert_eq!(bytes, [7; 8]);
    client.shutdown().unwrap();
}

/// Memory is bounded by what was allowed, and comes back.
#[test]
fn memory_is_limited_and_returned() {
    let served = Served::start("small", None);
    let card = Device::open(&format!("{}?memory=4194304", served.url())).unwrap();
    let mut transport = card.transport();
    assert_eq!(transport.available(), 4 << 20);
    assert!(matches!(transport.alloc((4 << 20) + 1), Err(Error::OutOfMemory { .. })));
    let [a, b] = [(); 2].map(|()| transport.alloc(2 << 20).unwrap());
    let data: Vec<u8> = (0..3 << 20).map(|i| ((i * 7) >> 8) as u8).collect();
    transport.write(a + 4096, &data).unwrap();
    let mut back = vec![0; data.len()];
    transport.read(a + 4096, &mut back).unwrap();
    assert!(back == data, "across two pieces");
    assert!(transport.write(b + (2 << 20) - 1, &[0; 2]).is_err());
    transport.free(b);
    assert!(transport.trim().unwrap());
    assert!(transport.read(b, &mut [0]).is_err());
    transport.free(a);
    drop(transport);
    multiply(&card, 3);
    assert!(matches!(Device::open("vfio-user:/nowhere/x.sock"), Err(Error::NotFound { .. })));
    assert!(matches!(Device::open("pci:0000:99:00.0"), Err(Error::NotFound { .. })));
    for url in ["", "vfio-user", "nvme:1", "pci:x", "vfio-user:s?memory=x", "vfio-user:s?size=1"] {
        assert!(matches!(Device::open(url), Err(Error::InvalidArg { .. })), "{url:?}");
    }
}
