//! A served card in this process, for tests and benches of what connects to one.

use super::{LAYOUT, ServeError, serve};
use crate::sim::{MemoryOptions, SimCard, Stalls};
use mattock_spec::CardConfig;
use pcie_mmap::vfio_user::{Server, Stop};
use rtl_gen::Interpreter;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

/// A reference card in the interpreter, at a socket of its own; it ends with the value.
pub struct Served {
    socket: PathBuf,
    stop: Stop,
    thread: Option<JoinHandle<Result<(), ServeError>>>,
    _folder: tempfile::TempDir,
}

impl Served {
    /// Serves the reference card of that name.
    ///
    /// # Panics
    /// When there is no such card, or no socket can be made.
    pub fn start(config: &str, stalls: Option<Stalls>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let socket = folder.path().join("card.sock");
        let server = Server::bind(&socket, LAYOUT).expect("a socket");
        let stop = server.stopper();
        let config = CardConfig::reference(config).expect("a reference card");
        let thread = std::thread::spawn(move || {
            serve(server, false, |memory| {
                let design = mattock_hw::card(&config).expect("a card");
                let sim = Box::new(Interpreter::new(&design).expect("a design that runs"));
                let options = MemoryOptions { stalls, ..MemoryOptions::default() };
                Ok::<_, ServeError>(SimCard::with_host(sim, "served", &options, Box::new(memory)))
            })
        });
        Served { socket, stop, thread: Some(thread), _folder: folder }
    }

    /// Where it listens.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// The card's URL.
    pub fn url(&self) -> String {
        format!("vfio-user:{}", self.socket.display())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.stop.stop();
        let ended = self.thread.take().map(JoinHandle::join);
        if !std::thread::panicking() {
            ended.expect("a thread").expect("no panic").expect("no error");
        }
    }
}
