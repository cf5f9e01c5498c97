//! A vfio-user server and clients that say anything.

use pcie_mmap::VfioUser;
use pcie_mmap::vfio_user::{Backend, DmaMap, DmaUnmap, HostMemory, IrqSet, Layout, Server};
use rustix::io::Errno;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::time::Duration;

const LAYOUT: Layout = Layout { regions: [4096, 0, 64, 0, 0, 0, 0, 256, 0], irqs: [1, 1, 4, 0, 0] };

/// Trusts the server: whatever leaves its region panics here.
struct Trusting {
    regions: [Vec<u8>; 9],
    memory: HostMemory,
}

impl Trusting {
    fn new() -> Self {
        let regions = LAYOUT.regions.map(|bytes| vec![0; bytes as usize]);
        Trusting { regions, memory: HostMemory::default() }
    }
}

impl Backend for Trusting {
    fn read(&mut self, region: u32, offset: u64, data: &mut [u8]) -> Result<(), Errno> {
        data.copy_from_slice(&self.regions[region as usize][offset as usize..][..data.len()]);
        Ok(())
    }

    fn write(&mut self, region: u32, offset: u64, data: &[u8]) -> Result<(), Errno> {
        self.regions[region as usize][offset as usize..][..data.len()].copy_from_slice(data);
        Ok(())
    }

    fn dma_map(&mut self, map: DmaMap) -> Result<(), Errno> {
        let (first, size) = (map.iova, map.size);
        self.memory.map(map)?;
        let _ = self.memory.read(first, &mut [0; 8]);
        let _ = self.memory.write(first.wrapping_add(size).wrapping_sub(8), &[1; 8]);
        Ok(())
    }

    fn dma_unmap(&mut self, unmap: &DmaUnmap) -> Result<(), Errno> {
        self.memory.unmap(unmap);
        Ok(())
    }

    fn set_irqs(&mut self, set: IrqSet) -> Result<(), Errno> {
        let have = LAYOUT.irqs[set.index as usize];
        assert!(set.start + set.count <= have, "{set:?}");
        Ok(())
    }

    fn reset(&mut self) -> Result<(), Errno> {
        Ok(())
    }

    fn disconnected(&mut self) {
        self.memory.clear();
    }
}

/// Requests as they should be, by command; fields of little use are zero.
fn request(command: u16) -> Vec<u8> {
    let words = |words: &[u32]| words.iter().flat_map(|w| w.to_le_bytes()).collect::<Vec<u8>>();
    match command {
        1 => [&[0, 0, 1, 0][..], b"{\"capabilities\":{}}\0"].concat(),
        2 => words(&[32, 3, 0, 0, 0x10000, 0, 0x1000, 0]),
        3 => words(&[24, 0, 0x10000, 0, 0x1000, 0]),
        4 => words(&[16, 0, 0, 0]),
        5 => words(&[32, 0, 0, 0, 0, 0, 0, 0]),
        7 => words(&[16, 0, 2, 0]),
        8 => words(&[20, 0x21, 2, 0, 1]),
        9 => words(&[0x10, 0, 0, 4]),
        10 => words(&[0x10, 0, 0, 4, 0x1234_5678]),
        _ => vec![],
    }
}

#[test]
fn clients_that_say_anything() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("card.sock");
    let server = Server::bind(&socket, LAYOUT).unwrap();
    let stop = server.stopper();
    let serving = std::thread::spawn(move || server.serve(&mut Trusting::new(), false));
    // Command, flags, changes, cut; and bytes behind it all.
    type Input = (Vec<(u8, u8, Vec<(u8, u8)>, u8)>, Vec<u8>);
    let path = std::panic::AssertUnwindSafe(&socket);
    let target = bolero::check!().with_test_time(crate::time());
    target.with_type::<Input>().for_each(|(messages, noise)| {
        let mut stream = UnixStream::connect(*path).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let mut bytes = vec![];
        for (id, (command, flags, changes, cut)) in messages.iter().take(12).enumerate() {
            let command = u16::from(command % 16);
            let mut body = request(command);
            crate::damage(&mut body, changes, *cut);
            bytes.extend((id as u16).to_le_bytes());
            bytes.extend(command.to_le_bytes());
            bytes.extend((16 + body.len() as u32).to_le_bytes());
            bytes.extend(u32::from(if flags % 4 == 0 { *flags } else { 0 }).to_le_bytes());
            bytes.extend([0; 4]);
            bytes.extend(body);
        }
        bytes.extend(noise);
        // The server may have sent this client away already.
        let _ = stream.write_all(&bytes);
        let _ = stream.shutdown(Shutdown::Write);
        let mut replies = vec![];
        match stream.read_to_end(&mut replies) {
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{error}"),
        }
    });
    // It still serves whoever behaves.
    let start = std::time::Instant::now();
    let mut device = loop {
        match VfioUser::open(&socket) {
            Ok(device) => break device,
            Err(error) => assert!(start.elapsed() < Duration::from_secs(10), "{error}"),
        }
    };
    pcie_mmap::PciDevice::write32(&mut device, 0, 0x20, 77).unwrap();
    assert_eq!(pcie_mmap::PciDevice::read32(&mut device, 0, 0x20).unwrap(), 77);
    drop(device);
    stop.stop();
    serving.join().unwrap().unwrap();
}
