//! The host's side of an AXI4-Lite register port.

use rtl_gen::sim::{PortId, Simulator};

/// What the host is doing at the port.
#[derive(Clone, Copy, Debug)]
enum Access {
    /// Address and data are offered until both were taken, then the response is awaited.
    Write { address: bool, data: bool },
    /// The address is offered until it was taken, then the data is awaited.
    Read { address: bool },
}

/// A host that makes one register access at a time. A response is accepted at once. It checks the slave: an answer for
/// every access, none without one, and none before the access was taken.
pub struct LiteHost {
    address: [PortId; 2],
    valid: [PortId; 2],
    ready: [PortId; 2],
    w: [PortId; 4],
    b: [PortId; 3],
    r: [PortId; 4],
    access: Option<Access>,
}

impl LiteHost {
    /// A host at the ports `<prefix>awaddr` and so on; it drives them to rest.
    ///
    /// # Panics
    /// When the design lacks one of the ports.
    pub fn new(sim: &mut dyn Simulator, prefix: &str) -> Self {
        let pin = |name: &str| sim.port(&format!("{prefix}{name}"));
        let prot = ["awprot", "arprot"].map(pin);
        let host = LiteHost {
            address: ["awaddr", "araddr"].map(pin),
            valid: ["awvalid", "arvalid"].map(pin),
            ready: ["awready", "arready"].map(pin),
            w: ["wvalid", "wready", "wdata", "wstrb"].map(pin),
            b: ["bvalid", "bready", "bresp"].map(pin),
            r: ["rvalid", "rready", "rdata", "rresp"].map(pin),
            access: None,
        };
        let idle =
            [host.valid[0], host.valid[1], host.w[0], host.b[1], host.r[1], prot[0], prot[1]];
        for port in idle {
            sim.set(port, 0);
        }
        host
    }

    /// Offers a write of the bytes of `data` whose bit in `strobes` is set.
    pub fn start_write(&mut self, sim: &mut dyn Simulator, address: u32, data: u32, strobes: u8) {
        sim.set(self.address[0], address.into());
        sim.set(self.valid[0], 1);
        sim.set(self.w[2], data.into());
        sim.set(self.w[3], strobes.into());
        sim.set(self.w[0], 1);
        sim.set(self.b[1], 1);
        self.access = Some(Access::Write { address: true, data: true });
    }

    /// Offers a read.
    pub fn start_read(&mut self, sim: &mut dyn Simulator, address: u32) {
        sim.set(self.address[1], address.into());
        sim.set(self.valid[1], 1);
        sim.set(self.r[1], 1);
        self.access = Some(Access::Read { address: true });
    }

    /// Whether an access is under way.
    pub fn is_busy(&self) -> bool {
        self.access.is_some()
    }

    /// Takes the handshakes of the coming clock edge; the answer (data, response code) when it comes.
    ///
    /// # Errors
    /// The rule the slave breaks.
    pub fn sample(&mut self, sim: &mut dyn Simulator) -> Result<Option<Handshake>, String> {
        let [b, r] = [self.b[0], self.r[0]].map(|valid| sim.get(valid) == 1);
        let none = |channel: &str| Err(format!("{channel} answers what was not asked"));
        let soon = |channel: &str| Err(format!("{channel} answers before the request was taken"));
        match self.access {
            None if b => none("B"),
            None if r => none("R"),
            None => Ok(None),
            Some(Access::Write { .. }) if r => none("R"),
            Some(Access::Write { address, data }) if b && (address || data) => soon("B"),
            Some(Access::Write { address, data }) => Ok(Some(Handshake {
                address: address && sim.get(self.ready[0]) == 1,
                data: data && sim.get(self.w[1]) == 1,
                answer: b.then(|| (0, sim.get(self.b[2]) as u8)),
            })),
            Some(Access::Read { .. }) if b => none("B"),
            Some(Access::Read { address: true }) if r => soon("R"),
            Some(Access::Read { address }) => Ok(Some(Handshake {
                address: address && sim.get(self.ready[1]) == 1,
                data: false,
                answer: r.then(|| (sim.get(self.r[2]) as u32, sim.get(self.r[3]) as u8)),
            })),
        }
    }

    /// Withdraws, after the clock edge, what was taken at it.
    pub fn advance(&mut self, sim: &mut dyn Simulator, taken: &Handshake) {
        match &mut self.access {
            Some(Access::Write { address, data }) => {
                if taken.address {
                    *address = false;
                    sim.set(self.valid[0], 0);
                }
                if taken.data {
                    *data = false;
                    sim.set(self.w[0], 0);
                }
            }
            Some(Access::Read { address }) if taken.address => {
                *address = false;
                sim.set(self.valid[1], 0);
            }
            _ => {}
        }
        if taken.answer.is_some() {
            sim.set(self.b[1], 0);
            sim.set(self.r[1], 0);
            self.access = None;
        }
    }
}

/// What passes at a clock edge.
#[derive(Clone, Copy, Debug)]
pub struct Handshake {
    address: bool,
    data: bool,
    /// Data (of a read) and response code.
    pub answer: Option<(u32, u8)>,
}
