//! Our client and our server, with each other and with somebody else's.

use pcie_mmap::vfio_user::{Backend, DmaMap, DmaUnmap, HostMemory, IrqSet, Layout, Server, Stop};
use pcie_mmap::{Access, Error, EventFd, IrqKind, Memory, PciDevice, VfioUser};
use rustix::io::Errno;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const LAYOUT: Layout = Layout { regions: [4096, 0, 0, 0, 0, 0, 0, 256, 0], irqs: [0, 1, 4, 0, 0] };

/// A device that adds one to each of 16 bytes at the address in register 0, when register 4 is written, and then
/// interrupts.
#[derive(Default)]
struct Adder {
    registers: Vec<u8>,
    memory: HostMemory,
    events: Vec<OwnedFd>,
    log: Arc<Mutex<Vec<&'static str>>>,
}

impl Adder {
    fn new(log: Arc<Mutex<Vec<&'static str>>>) -> Self {
        Adder { registers: vec![0; 4096], log, ..Adder::default() }
    }

    fn work(&mut self) {
        let address = u32::from_le_bytes(self.registers[..4].try_into().unwrap()).into();
        let mut bytes = [0; 16];
        let read = self.memory.read(address, &mut bytes);
        let done = read.and_then(|()| self.memory.write(address, &bytes.map(|b| b + 1)));
        self.registers[8] = u8::from(done.is_ok());
        for event in &self.events {
            rustix::io::write(event, &1u64.to_ne_bytes()).unwrap();
        }
    }
}

impl Backend for Adder {
    fn read(&mut self, region: u32, offset: u64, data: &mut [u8]) -> Result<(), Errno> {
        match (region, offset) {
            (0, 0x800) => return Err(Errno::IO),
            (0, 0x804) => std::thread::sleep(Duration::from_millis(300)),
            _ => {}
        }
        data.fill(0);
        if region == 0 {
            data.copy_from_slice(&self.registers[offset as usize..][..data.len()]);
        }
        Ok(())
    }

    fn write(&mut self, region: u32, offset: u64, data: &[u8]) -> Result<(), Errno> {
        if region == 0 {
            self.registers[offset as usize..][..data.len()].copy_from_slice(data);
            if offset == 4 {
                self.work();
            }
        }
        Ok(())
    }

    fn dma_map(&mut self, map: DmaMap) -> Result<(), Errno> {
        self.memory.map(map)
    }

    fn dma_unmap(&mut self, unmap: &DmaUnmap) -> Result<(), Errno> {
        self.memory.unmap(unmap);
        Ok(())
    }

    fn set_irqs(&mut self, set: IrqSet) -> Result<(), Errno> {
        self.events = set.events;
        Ok(())
    }

    fn reset(&mut self) -> Result<(), Errno> {
        self.registers.fill(0);
        self.log.lock().unwrap().push("reset");
        Ok(())
    }

    fn disconnected(&mut self) {
        self.memory.clear();
        self.events.clear();
        self.log.lock().unwrap().push("disconnected");
    }
}

struct Running {
    socket: PathBuf,
    log: Arc<Mutex<Vec<&'static str>>>,
    stop: Stop,
    thread: Option<JoinHandle<()>>,
    _folder: tempfile::TempDir,
}

impl Running {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("card.sock");
        let server = Server::bind(&socket, LAYOUT).unwrap();
        let (stop, log) = (server.stopper(), Arc::default());
        let shared = Arc::clone(&log);
        let thread = std::thread::spawn(move || {
            server.serve(&mut Adder::new(shared), false).unwrap();
        });
        Running { socket, log, stop, thread: Some(thread), _folder: folder }
    }

    /// Waits for the server to notice that a client has left.
    fn wait_for(&self, event: &str, times: usize) {
        let end = Instant::now() + Duration::from_secs(10);
        while self.log.lock().unwrap().iter().filter(|e| **e == event).count() < times {
            assert!(Instant::now() < end, "no {event}");
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.stop();
        self.thread.take().unwrap().join().unwrap();
    }
}

#[test]
fn dma_interrupts_and_reset() {
    let running = Running::start();
    let mut device = VfioUser::open(&running.socket).unwrap();
    assert_eq!(
        (device.bar_len(0), device.bar_len(1), device.irq_count(IrqKind::MsiX)),
        (4096, 0, 4)
    );
    let memory = Memory::new(4096).unwrap();
    memory.map().write(32, &[7; 16]).unwrap();
    let event = EventFd::new().unwrap();
    device.set_interrupts(IrqKind::Msi, &[&event]).unwrap();
    device.dma_map(&memory, 0x10_0000, Access::ReadWrite).unwrap();
    let add = |device: &mut VfioUser, at: u32| {
        device.write32(0, 0, at).unwrap();
        device.write32(0, 4, 1).unwrap();
        assert!(device.wait(&event, Duration::from_secs(5)).unwrap());
        device.read32(0, 8).unwrap() == 1
    };
    assert!(add(&mut device, 0x10_0020));
    let mut bytes = [0; 16];
    memory.map().read(32, &mut bytes).unwrap();
    assert_eq!(bytes, [8; 16]);
    assert!(!add(&mut device, 0x20_0000), "not mapped");
    device.dma_unmap(0x10_0000, 4096).unwrap();
    assert!(!add(&mut device, 0x10_0020), "not mapped any more");
    device.set_interrupts(IrqKind::Msi, &[]).unwrap();
    device.write32(0, 4, 1).unwrap();
    assert!(!device.wait(&event, Duration::from_millis(20)).unwrap());
    device.reset().unwrap();
    assert_eq!(device.read32(0, 0).unwrap(), 0);
}

#[test]
fn refusals_are_errors_with_their_reason() {
    let running = Running::start();
    let mut device = VfioUser::open(&running.socket).unwrap();
    for offset in [2, 4096, u64::MAX - 3] {
        assert!(matches!(device.read32(0, offset), Err(Error::Range { .. })));
    }
    assert!(matches!(device.read32(6, 0), Err(Error::Range { .. })));
    assert!(matches!(device.config_read(255, &mut [0; 2]), Err(Error::Range { .. })));
    let refused = device.read32(0, 0x800).unwrap_err();
    assert!(
        matches!(&refused, Error::Refused { source, .. } if source.raw_os_error() == Some(libc::EIO))
    );
    assert_eq!(device.read32(0, 0x10).unwrap(), 0, "usable after a refusal");
    let five: Vec<EventFd> = (0..5).map(|_| EventFd::new().unwrap()).collect();
    let five: Vec<&EventFd> = five.iter().collect();
    assert!(matches!(device.set_interrupts(IrqKind::MsiX, &five), Err(Error::Unsupported { .. })));
    device.set_interrupts(IrqKind::MsiX, &five[..4]).unwrap();
}

#[test]
fn a_second_client_is_turned_away_and_the_first_goes_on() {
    let running = Running::start();
    let mut first = VfioUser::open(&running.socket).unwrap();
    let start = Instant::now();
    assert!(matches!(VfioUser::open(&running.socket), Err(Error::Busy { .. })));
    assert!(start.elapsed() < Duration::from_secs(2));
    // One that connects and says nothing is in nobody's way.
    let _silent = UnixStream::connect(&running.socket).unwrap();
    first.write32(0, 0x20, 3).unwrap();
    assert_eq!(first.read32(0, 0x20).unwrap(), 3);
    drop(first);
    running.wait_for("disconnected", 1);
    // Neither now that it may be the first at the door.
    let _silent = UnixStream::connect(&running.socket).unwrap();
    VfioUser::open(&running.socket).unwrap();
    assert!(matches!(Server::bind(&running.socket, LAYOUT), Err(Error::Busy { .. })));
}

#[test]
fn sockets_left_behind_are_replaced_and_other_files_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("old.sock");
    drop(UnixListener::bind(&socket).unwrap());
    assert!(matches!(VfioUser::open(&socket), Err(Error::NotFound { .. })));
    drop(Server::bind(&socket, LAYOUT).unwrap());
    assert!(!socket.exists());
    std::fs::write(&socket, "mine").unwrap();
    assert!(matches!(Server::bind(&socket, LAYOUT), Err(Error::Io { .. })));
    assert_eq!(std::fs::read_to_string(&socket).unwrap(), "mine");
}

/// A message of which only a part comes, and messages that are none.
#[test]
fn broken_clients_are_sent_away() {
    let running = Running::start();
    let header = |command: u16, size: u32, flags: u32| {
        let mut bytes = vec![1, 0];
        bytes.extend(command.to_le_bytes());
        bytes.extend([size, flags, 0].map(u32::to_le_bytes).concat());
        bytes
    };
    let broken: [Vec<u8>; 4] = [
        header(9, 15, 0),
        header(9, u32::MAX, 0),
        header(9, 16, 1),
        header(1, 20, 0)[..9].to_vec(),
    ];
    for (i, bytes) in broken.iter().enumerate() {
        let mut stream = UnixStream::connect(&running.socket).unwrap();
        stream.write_all(bytes).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        assert_eq!(stream.read(&mut [0; 16]).unwrap(), 0);
        running.wait_for("disconnected", i + 1);
    }
    // A short request is answered with an error, and the connection stays.
    let mut stream = UnixStream::connect(&running.socket).unwrap();
    for bytes in [header(1, 16, 0), header(99, 16, 0), header(2, 16, 0)] {
        stream.write_all(&bytes).unwrap();
        let mut reply = [0; 16];
        stream.read_exact(&mut reply).unwrap();
        assert_eq!((reply[8], reply[4]), (0x21, 16));
        assert_ne!(reply[12], 0, "the reason is told");
    }
    drop(stream);
    running.wait_for("disconnected", 5);
    VfioUser::open(&running.socket).unwrap();
}

/// A server that is not there any more, answers nonsense, or nothing.
#[test]
fn broken_servers_are_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("bad.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    let serve = |replies: Vec<Vec<u8>>| {
        let listener = listener.try_clone().unwrap();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut buffer = [0; 4096];
            for reply in replies {
                let _ = stream.read(&mut buffer);
                stream.write_all(&reply).unwrap();
            }
        })
    };
    let reply = |id: u8, command: u8, flags: u8, body: &[u8]| {
        let size = 16 + body.len() as u8;
        let mut bytes = vec![id, 0, command, 0, size, 0, 0, 0, flags, 0, 0, 0, 0, 0, 0, 0];
        bytes.extend(body);
        bytes
    };
    let open = || VfioUser::open(&socket).unwrap_err();
    for (replies, protocol) in [
        (vec![], false),
        (vec![reply(1, 1, 1, &[0, 0, 1, 0])], true),
        (vec![reply(0, 1, 1, &[7, 0, 1, 0])], true),
        (vec![reply(0, 1, 1, &[])], true),
        (vec![reply(0, 1, 1, &[0, 0, 1, 0]), reply(1, 4, 1, &[1, 2, 3])], true),
        (vec![vec![0, 0, 1, 0, 3, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]], true),
    ] {
        let thread = serve(replies);
        let error = open();
        assert_eq!(matches!(error, Error::Protocol { .. }), protocol, "{error}");
        thread.join().unwrap();
    }
}

#[test]
fn a_device_that_dies_is_gone_for_who_waits() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("dying.sock");
    let server = Server::bind(&socket, LAYOUT).unwrap();
    let stop = server.stopper();
    let thread = std::thread::spawn(move || server.serve(&mut Adder::new(Arc::default()), false));
    let mut device = VfioUser::open(&socket).unwrap();
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(50));
        stop.stop();
    });
    let event = EventFd::new().unwrap();
    let waited = device.wait(&event, Duration::from_secs(30));
    assert!(matches!(waited, Err(Error::Gone { .. })), "{waited:?}");
    assert!(matches!(device.read32(0, 0), Err(Error::Gone { .. })));
    thread.join().unwrap().unwrap();
}

/// The `vfio_user` crate's client at our server.
#[test]
fn their_client_our_server() {
    let running = Running::start();
    let mut client = vfio_user::Client::new(&running.socket).unwrap();
    assert_eq!(client.region(0).unwrap().size, 4096);
    client.region_write(0, 0x20, &[1, 2, 3, 4]).unwrap();
    let mut word = [0; 4];
    client.region_read(0, 0x20, &mut word).unwrap();
    assert_eq!(word, [1, 2, 3, 4]);
    let file = tempfile::tempfile().unwrap();
    file.set_len(4096).unwrap();
    client.dma_map(0, 0x10_0000, 4096, file.as_raw_fd()).unwrap();
    let event = EventFd::new().unwrap();
    let fd = std::os::fd::AsFd::as_fd(&event).as_raw_fd();
    client.set_irqs(1, 1 << 5 | 1 << 2, 0, 1, &[fd]).unwrap();
    client.region_write(0, 0, &0x10_0000u32.to_le_bytes()).unwrap();
    client.region_write(0, 4, &[1, 0, 0, 0]).unwrap();
    assert!(event.wait(Duration::from_secs(5)).unwrap());
    let mut bytes = [0; 16];
    std::os::unix::fs::FileExt::read_exact_at(&file, &mut bytes, 0).unwrap();
    assert_eq!(bytes, [1; 16]);
    client.dma_unmap(0x10_0000, 4096).unwrap();
    client.reset().unwrap();
    running.wait_for("reset", 1);
}

/// Our client at the crate's server.
#[test]
fn our_client_their_server() {
    use vfio_user::{DmaMapFlags, DmaUnmapFlags, IrqInfo, ServerBackend, ServerRegion};
    struct Theirs(Adder);
    impl ServerBackend for Theirs {
        fn region_read(&mut self, region: u32, at: u64, data: &mut [u8]) -> std::io::Result<()> {
            Ok(self.0.read(region, at, data)?)
        }
        fn region_write(&mut self, region: u32, at: u64, data: &[u8]) -> std::io::Result<()> {
            Ok(self.0.write(region, at, data)?)
        }
        fn dma_map(
            &mut self,
            _: DmaMapFlags,
            offset: u64,
            iova: u64,
            size: u64,
            file: Option<std::fs::File>,
        ) -> std::io::Result<()> {
            let access = Access::ReadWrite;
            Ok(self.0.dma_map(DmaMap { iova, size, offset, access, file: file.map(Into::into) })?)
        }
        fn dma_unmap(&mut self, _: DmaUnmapFlags, iova: u64, size: u64) -> std::io::Result<()> {
            Ok(self.0.dma_unmap(&DmaUnmap { iova, size, all: false })?)
        }
        fn reset(&mut self) -> std::io::Result<()> {
            Ok(self.0.reset()?)
        }
        fn set_irqs(
            &mut self,
            _: u32,
            _: u32,
            _: u32,
            _: u32,
            events: Vec<std::fs::File>,
        ) -> std::io::Result<()> {
            self.0.events = events.into_iter().map(Into::into).collect();
            Ok(())
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let socket: &Path = &folder.path().join("theirs.sock");
    let mut layout = vec![];
    for (index, size) in LAYOUT.regions.into_iter().enumerate() {
        let region_info = vfio_bindings::bindings::vfio::vfio_region_info {
            argsz: 32,
            flags: 3,
            index: index as u32,
            cap_offset: 0,
            size,
            offset: 0,
        };
        layout.push(ServerRegion { region_info, sparse_areas: vec![], mmap_fd: None });
    }
    let irqs = (0..5).map(|index| IrqInfo { index, flags: 1, count: LAYOUT.irqs[index as usize] });
    let server = vfio_user::Server::new(socket, true, irqs.collect(), layout).unwrap();
    let thread = std::thread::spawn(move || {
        server.run(&mut Theirs(Adder::new(Arc::default()))).unwrap();
    });
    let mut device = VfioUser::open(socket).unwrap();
    let memory = Memory::new(4096).unwrap();
    device.dma_map(&memory, 0x10_0000, Access::ReadWrite).unwrap();
    let event = EventFd::new().unwrap();
    device.set_interrupts(IrqKind::Msi, &[&event]).unwrap();
    device.write32(0, 0, 0x10_0000).unwrap();
    device.write32(0, 4, 1).unwrap();
    assert!(device.wait(&event, Duration::from_secs(5)).unwrap());
    let mut bytes = [0; 16];
    memory.map().read(0, &mut bytes).unwrap();
    assert_eq!(bytes, [1; 16]);
    // Their refusals have no reason; ours is a plain I/O error, at once.
    let refused = device.read32(0, 0x800);
    assert!(matches!(refused, Err(Error::Refused { .. })), "{refused:?}");
    device.dma_unmap(0x10_0000, 4096).unwrap();
    device.reset().unwrap();
    drop(device);
    thread.join().unwrap();
}
