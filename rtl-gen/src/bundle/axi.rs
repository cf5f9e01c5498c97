//! AXI4-Lite and AXI4: five streams with the signal names of the specification (Arm IHI 0022).

use super::stream::{Stream, StreamIn, StreamOut};
use crate::{Builder, Type, bit, bits, uint};

/// Widths of an AXI4-Lite port.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AxiLiteConfig {
    /// Address bits.
    pub addr: u32,
    /// Data bits: 32 or 64.
    pub data: u32,
}

/// Widths of an AXI4 port.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Axi4Config {
    /// Address bits.
    pub addr: u32,
    /// Data bits: 8 to 1024, a power of two.
    pub data: u32,
    /// Transaction identifier bits; 0 leaves the identifiers out.
    pub id: u32,
}

/// AXI4-Lite: single-beat register accesses.
#[derive(Clone, Copy, Debug)]
pub struct AxiLite;

/// AXI4: bursts. `lock`, `qos`, `region` and `user` are left out: a bridge ties them to 0.
#[derive(Clone, Copy, Debug)]
pub struct Axi4;

/// The five channels seen from a slave.
#[derive(Clone)]
pub struct AxiLiteSlave<'m> {
    /// Write address: `addr`, `prot`.
    pub aw: StreamIn<'m>,
    /// Write data: `data`, `strb`.
    pub w: StreamIn<'m>,
    /// Write response: `resp`.
    pub b: StreamOut<'m>,
    /// Read address: `addr`, `prot`.
    pub ar: StreamIn<'m>,
    /// Read data: `data`, `resp`.
    pub r: StreamOut<'m>,
}

/// The five channels seen from a master.
#[derive(Clone)]
pub struct AxiLiteMaster<'m> {
    /// Write address: `addr`, `prot`.
    pub aw: StreamOut<'m>,
    /// Write data: `data`, `strb`.
    pub w: StreamOut<'m>,
    /// Write response: `resp`.
    pub b: StreamIn<'m>,
    /// Read address: `addr`, `prot`.
    pub ar: StreamOut<'m>,
    /// Read data: `data`, `resp`.
    pub r: StreamIn<'m>,
}

/// The five channels seen from a slave.
#[derive(Clone)]
pub struct Axi4Slave<'m> {
    /// Write address: `id`, `addr`, `len` (beats - 1), `size` (log2 bytes a beat), `burst`, `cache`, `prot`.
    pub aw: StreamIn<'m>,
    /// Write data: `data`, `strb`, `last`.
    pub w: StreamIn<'m>,
    /// Write response: `id`, `resp`.
    pub b: StreamOut<'m>,
    /// Read address: as `aw`.
    pub ar: StreamIn<'m>,
    /// Read data: `id`, `data`, `resp`, `last`.
    pub r: StreamOut<'m>,
}

/// The five channels seen from a master.
#[derive(Clone)]
pub struct Axi4Master<'m> {
    /// Write address: `id`, `addr`, `len` (beats - 1), `size` (log2 bytes a beat), `burst`, `cache`, `prot`.
    pub aw: StreamOut<'m>,
    /// Write data: `data`, `strb`, `last`.
    pub w: StreamOut<'m>,
    /// Write response: `id`, `resp`.
    pub b: StreamIn<'m>,
    /// Read address: as `aw`.
    pub ar: StreamOut<'m>,
    /// Read data: `id`, `data`, `resp`, `last`.
    pub r: StreamIn<'m>,
}

type Fields = Vec<(&'static str, Type)>;

/// Fields of the channels aw (and ar), w, b, r.
struct Channels {
    a: Fields,
    w: Fields,
    b: Fields,
    r: Fields,
}

impl AxiLiteConfig {
    fn channels(self) -> Channels {
        let (data, resp) = (("data", bits(self.data)), ("resp", bits(2)));
        Channels {
            a: vec![("addr", uint(self.addr)), ("prot", bits(3))],
            w: vec![data, ("strb", bits(self.data / 8))],
            b: vec![resp],
            r: vec![data, resp],
        }
    }
}

impl Axi4Config {
    fn channels(self) -> Channels {
        let with_id = |fields: &[(&'static str, Type)]| {
            let id = (self.id > 0).then_some(("id", bits(self.id)));
            id.into_iter().chain(fields.iter().copied()).collect()
        };
        let (data, resp, last) = (("data", bits(self.data)), ("resp", bits(2)), ("last", bit()));
        Channels {
            a: with_id(&[
                ("addr", uint(self.addr)),
                ("len", uint(8)),
                ("size", uint(3)),
                ("burst", bits(2)),
                ("cache", bits(4)),
                ("prot", bits(3)),
            ]),
            w: vec![data, ("strb", bits(self.data / 8)), last],
            b: with_id(&[resp]),
            r: with_id(&[data, resp, last]),
        }
    }
}

#[track_caller]
fn inward<'m>(m: &'m Builder, prefix: &str, channel: &str, fields: &Fields) -> StreamIn<'m> {
    Stream::input_with_prefix(m, &format!("{prefix}_{channel}"), fields)
}

#[track_caller]
fn outward<'m>(m: &'m Builder, prefix: &str, channel: &str, fields: &Fields) -> StreamOut<'m> {
    Stream::output_with_prefix(m, &format!("{prefix}_{channel}"), fields)
}

macro_rules! channels {
    ($bundle:ident, $config:ident, $slave:ident, $master:ident, $advice:expr) => {
        impl $bundle {
            /// Slave ports `<prefix>_awaddr`, ... Fields that only advise need not be read.
            #[track_caller]
            pub fn slave<'m>(m: &'m Builder, prefix: &str, config: $config) -> $slave<'m> {
                let c = config.channels();
                let slave = $slave {
                    aw: inward(m, prefix, "aw", &c.a),
                    w: inward(m, prefix, "w", &c.w),
                    b: outward(m, prefix, "b", &c.b),
                    ar: inward(m, prefix, "ar", &c.a),
                    r: outward(m, prefix, "r", &c.r),
                };
                for field in $advice {
                    slave.aw.unused(field);
                    slave.ar.unused(field);
                }
                slave
            }

            /// Master ports `<prefix>_awaddr`, ...
            #[track_caller]
            pub fn master<'m>(m: &'m Builder, prefix: &str, config: $config) -> $master<'m> {
                let c = config.channels();
                $master {
                    aw: outward(m, prefix, "aw", &c.a),
                    w: outward(m, prefix, "w", &c.w),
                    b: inward(m, prefix, "b", &c.b),
                    ar: outward(m, prefix, "ar", &c.a),
                    r: inward(m, prefix, "r", &c.r),
                }
            }
        }

        impl $slave<'_> {
            /// Asserts the protocol of what this side sends and assumes that of what it receives.
            #[track_caller]
            pub fn check_protocol(&self) {
                [&self.aw, &self.w, &self.ar].into_iter().for_each(|s| s.assume_protocol());
                [&self.b, &self.r].into_iter().for_each(|s| s.assert_protocol());
            }
        }

        impl $master<'_> {
            /// Asserts the protocol of what this side sends and assumes that of what it receives.
            #[track_caller]
            pub fn check_protocol(&self) {
                [&self.aw, &self.w, &self.ar].into_iter().for_each(|s| s.assert_protocol());
                [&self.b, &self.r].into_iter().for_each(|s| s.assume_protocol());
            }
        }
    };
}
channels!(AxiLite, AxiLiteConfig, AxiLiteSlave, AxiLiteMaster, ["prot"]);
channels!(Axi4, Axi4Config, Axi4Slave, Axi4Master, ["prot", "cache"]);
