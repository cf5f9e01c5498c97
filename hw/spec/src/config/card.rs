//! The whole card: ports, memory, and which engines it has.

use super::keys::{Allowed, Checked, Checker, Visitor, Writer, choice, key, required};
use super::reader::Reader;
use super::{ConfigError, GemmConfig, SdramConfig, SpgemmConfig, UartConfig, reference};

/// How the host reaches the card.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HostPort {
    /// AXI4-Lite registers and AXI4 masters, under a PCIe bridge.
    Axi,
    /// Framed serial port.
    Uart,
}

/// Who runs the command logic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Control {
    /// The host driver, against the engine registers.
    Host,
    /// A RISC-V core on the card.
    Riscv,
}

/// The AXI4 memory port of each engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemoryConfig {
    /// Data bus width in bytes.
    pub bus_bytes: u32,
    /// Address bus width.
    pub address_bits: u32,
    /// KiB of memory on the card; 0 when the memory is the host's.
    pub kib: u32,
}

impl Default for MemoryConfig {
    fn default() -> Self {
        MemoryConfig { bus_bytes: 64, address_bits: 40, kib: 0 }
    }
}

impl MemoryConfig {
    /// Memory on the card, a power of two of KiB: with an address bit more than it needs, so that what runs past its end is told.
    pub fn on_card(bus_bytes: u32, kib: u32) -> MemoryConfig {
        let address_bits = (kib.ilog2() + 11).max(16);
        MemoryConfig { bus_bytes, address_bits, kib }
    }

    fn visit(&mut self, v: &mut dyn Visitor) -> Checked {
        v.number(
            key("bus_bytes", "Data bus width of the AXI4 masters, in bytes"),
            Allowed::PowerOfTwo(4, 64),
            &mut self.bus_bytes,
        )?;
        v.number(
            key("address_bits", "Address bus width of the AXI4 masters"),
            Allowed::Range(16, 64),
            &mut self.address_bits,
        )?;
        v.number(
            key(
                "kib",
                "KiB of memory on the card, block RAM or `[sdram]`, for `host = \"uart\"`; 0: the memory is the host's",
            ),
            Allowed::ZeroOrPowerOfTwo(1, 1 << 16),
            &mut self.kib,
        )
    }

    /// Memory on the card is for cards whose host has none to share.
    fn check_together(&self, host: HostPort) -> Checked {
        let value = self.kib.to_string();
        let fault = |allowed: &str, next: &str| {
            Err(ConfigError::new("memory.kib", value, allowed.to_owned(), next.to_owned()))
        };
        match (host, self.kib) {
            (HostPort::Axi, 1..) => {
                fault("0 with `host = \"axi\"`, whose memory is the host's", "remove it")
            }
            (HostPort::Uart, 0) => fault(
                "a power of two with `host = \"uart\"`, whose memory is on the card",
                "say how much memory the card shall have, for example 64",
            ),
            (HostPort::Uart, kib) if u64::from(kib) * 1024 > 1 << self.address_bits.min(32) => {
                fault(
                    "what `memory.address_bits` reach, 32 bits at most",
                    "choose less memory or more address bits",
                )
            }
            _ => Ok(()),
        }
    }
}

/// A card as it is generated. Build it with [`from_toml`](Self::from_toml) or
/// [`reference`](Self::reference); after changing fields call [`check`](Self::check).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CardConfig {
    /// Names the Verilog top module: a letter, then letters, digits and underscores.
    pub name: String,
    /// How the host reaches the card.
    pub host: HostPort,
    /// Who runs the command logic.
    pub control: Control,
    /// Nominal engine clock.
    pub clock_mhz: u32,
    /// The memory port of each engine.
    pub memory: MemoryConfig,
    /// The serial line: there when `host` is [`HostPort::Uart`].
    pub uart: Option<UartConfig>,
    /// The chip that is a serial card's memory; block RAM without one.
    pub sdram: Option<SdramConfig>,
    /// The dense engine, if any.
    pub gemm: Option<GemmConfig>,
    /// The sparse engine, if any.
    pub spgemm: Option<SpgemmConfig>,
}

impl CardConfig {
    /// Reads and checks a configuration.
    ///
    /// # Errors
    /// The first fault, with its place in `text`.
    pub fn from_toml(text: &str) -> Result<CardConfig, ConfigError> {
        let mut reader = Reader::new(text)?;
        let mut card = CardConfig::blank();
        card.visit(&mut reader)?;
        reader.unknown_keys()?;
        card.check_together().map_err(|e| reader.locate(e))?;
        Ok(card)
    }

    /// One of the [reference cards](super::REFERENCE_NAMES).
    ///
    /// # Errors
    /// The name is none of them; the error names the nearest.
    pub fn reference(name: &str) -> Result<CardConfig, ConfigError> {
        CardConfig::from_toml(reference::text(name)?)
    }

    /// The same card under a PCIe bridge, its memory the host's.
    pub fn on_axi(self) -> CardConfig {
        let address_bits = self.memory.address_bits.max(32);
        let memory = MemoryConfig { kib: 0, address_bits, ..self.memory };
        CardConfig { host: HostPort::Axi, uart: None, sdram: None, memory, ..self }
    }

    /// Checks every value, alone and together.
    ///
    /// # Errors
    /// The first fault; `span` is `None`.
    pub fn check(&self) -> Result<(), ConfigError> {
        let mut card = self.clone();
        card.visit(&mut Checker::default())?;
        card.check_together()
    }

    /// Says whether this version's generator can build the card. A card that passes
    /// [`check`](Self::check) may still ask for something that is promised for later.
    ///
    /// # Errors
    /// The first key asking for what is not there yet.
    pub fn check_buildable(&self) -> Result<(), ConfigError> {
        self.check()?;
        let later = |key, value: String, allowed: &str| {
            Err(ConfigError::new(
                key,
                format!("{value}, which is not yet built"),
                allowed,
                "use an allowed value",
            ))
        };
        let unbuilt = |g: &GemmConfig| g.tuples.iter().copied().find(|t| !g.is_buildable(t));
        if let Some(tuple) = self.gemm.as_ref().and_then(unbuilt) {
            return later(
                "gemm.tuples",
                format!("\"{tuple}\""),
                "operands of 3 to 8 bits, floats also f16, bf16 and f32: integers with an i32 result (with `gemm.epilogue` of 5 to 8 or 16 bits too), floats with an f32 result",
            );
        }
        if self.control == Control::Riscv && self.host == HostPort::Uart {
            return later(
                "control",
                "\"riscv\" behind a serial port".into(),
                "\"host\" with `host = \"uart\"`: the rings of a processor lie in memory that the host looks at all the time, which a serial line is too slow for",
            );
        }
        let epilogue = self.gemm.iter().any(|g| !g.epilogue.is_empty());
        if epilogue && self.control == Control::Riscv {
            return later("gemm.epilogue", "an epilogue".into(), "none with `control = \"riscv\"`");
        }
        if self.gemm.iter().any(|g| g.batch) && self.control == Control::Riscv {
            return later(
                "gemm.batch",
                "true".into(),
                "false with `control = \"riscv\"`: the program of the card's processor has no room for such commands",
            );
        }
        let beside_ram = self.memory.kib > 0 && self.sdram.is_none();
        if self.gemm.iter().any(|g| g.batch) && beside_ram {
            return later(
                "gemm.batch",
                "true".into(),
                "false with `memory.kib` in block RAM, which the engine reads without the bus that batches need: leave it out, or give the card an `[sdram]` chip",
            );
        }
        let joins = self.spgemm.iter().flat_map(|s| &s.joins).next();
        if let (Some(step), Control::Riscv) = (joins, self.control) {
            let asked = format!("\"{}\"", step.name());
            return later("spgemm.joins", asked, "none with `control = \"riscv\"`");
        }
        if self.spgemm.iter().any(|s| s.ordered) && self.control == Control::Riscv {
            let none = "none with `control = \"riscv\"`";
            return later("spgemm.determinism", "\"ordered\"".into(), none);
        }
        Ok(())
    }

    /// The canonical text: every key, in a fixed order.
    pub fn to_toml(&self) -> String {
        let mut writer = Writer::default();
        // The writer accepts every value.
        let _ = self.clone().visit(&mut writer);
        writer.text
    }

    /// 64-bit FNV-1a of [`to_toml`](Self::to_toml): the same for the same card, whatever the layout
    /// and comments of the file it came from. The card reports it in `DIGEST_LO` and `DIGEST_HI`.
    pub fn digest(&self) -> u64 {
        self.to_toml().bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        })
    }

    fn blank() -> CardConfig {
        CardConfig {
            name: String::new(),
            host: HostPort::Axi,
            control: Control::Host,
            clock_mhz: 100,
            memory: MemoryConfig::default(),
            uart: None,
            sdram: None,
            gemm: None,
            spgemm: None,
        }
    }

    /// Defaults for every key of every table, for the manual.
    pub(super) fn everything() -> CardConfig {
        CardConfig {
            uart: Some(UartConfig::default()),
            sdram: Some(SdramConfig::default()),
            gemm: Some(GemmConfig::default()),
            spgemm: Some(SpgemmConfig::default()),
            name: "card".into(),
            ..CardConfig::blank()
        }
    }

    pub(super) fn visit(&mut self, v: &mut dyn Visitor) -> Checked {
        let name = required("name", "Name of the card and of its Verilog top module");
        let rule = "a letter, then up to 31 letters, digits and underscores";
        v.text(name, rule, &mut self.name)?;
        if !is_identifier(&self.name) {
            let value = format!("{:?}", self.name);
            return Err(v.fault(name, None, &value, rule, "choose another name"));
        }
        choice(
            v,
            key("host", "Host port: under a PCIe bridge, or serial"),
            &[("axi", HostPort::Axi), ("uart", HostPort::Uart)],
            &mut self.host,
        )?;
        choice(
            v,
            key(
                "control",
                "Who runs the command logic: the host's driver, or a processor on the card",
            ),
            &[("host", Control::Host), ("riscv", Control::Riscv)],
            &mut self.control,
        )?;
        v.number(
            key("clock_mhz", "Nominal engine clock, for reports and deadlines"),
            Allowed::Range(1, 1000),
            &mut self.clock_mhz,
        )?;
        if v.enter("memory", true)? {
            self.memory.visit(v)?;
            v.leave();
        }
        let serial = self.host == HostPort::Uart;
        if v.enter("uart", self.uart.is_some() || serial)? {
            self.uart.get_or_insert_default().visit(v)?;
            v.leave();
        }
        if serial {
            self.uart.get_or_insert_default();
        }
        if v.enter("sdram", self.sdram.is_some())? {
            self.sdram.get_or_insert_default().visit(v)?;
            v.leave();
        }
        if v.enter("gemm", self.gemm.is_some())? {
            self.gemm.get_or_insert_default().visit(v)?;
            v.leave();
        }
        if v.enter("spgemm", self.spgemm.is_some())? {
            self.spgemm.get_or_insert_default().visit(v)?;
            v.leave();
        }
        Ok(())
    }

    /// What no single key can tell.
    fn check_together(&self) -> Checked {
        if self.gemm.is_none() && self.spgemm.is_none() {
            return Err(ConfigError::new(
                "gemm",
                "",
                "`[gemm]`, `[spgemm]` or both",
                "give the card an engine",
            ));
        }
        self.memory.check_together(self.host)?;
        self.check_narrow_bus()?;
        self.check_sdram()?;
        match (&self.uart, self.host) {
            (Some(uart), HostPort::Uart) => uart.check_together(self.clock_mhz)?,
            (None, HostPort::Axi) => {}
            _ => {
                return Err(ConfigError::new(
                    "uart",
                    "",
                    "a table exactly with `host = \"uart\"`",
                    "remove `[uart]`, or choose the serial host port",
                ));
            }
        }
        if let Some(gemm) = &self.gemm {
            gemm.check_together(&self.memory)?;
        }
        if let Some(spgemm) = &self.spgemm {
            spgemm.check_together(&self.memory)?;
        }
        Ok(())
    }
}

impl CardConfig {
    /// Of what is built only the dense engine reads words of a record, an entry or a result from several beats.
    fn check_narrow_bus(&self) -> Checked {
        let epilogue = self.gemm.iter().any(|gemm| !gemm.epilogue.is_empty());
        let wide = [
            ("`[spgemm]`", self.spgemm.is_some()),
            ("`gemm.epilogue`", epilogue),
            ("`gemm.batch`", self.gemm.iter().any(|gemm| gemm.batch)),
            ("`control = \"riscv\"`", self.control == Control::Riscv),
        ];
        match wide.into_iter().find(|(_, there)| *there) {
            Some((what, _)) if self.memory.bus_bytes < 8 => Err(ConfigError::new(
                "memory.bus_bytes",
                self.memory.bus_bytes.to_string(),
                format!("at least 8 with {what}"),
                "write 8",
            )),
            _ => Ok(()),
        }
    }

    /// A chip belongs to a serial card and is all of its memory.
    fn check_sdram(&self) -> Checked {
        let Some(chip) = &self.sdram else { return Ok(()) };
        if self.host != HostPort::Uart {
            return Err(ConfigError::new(
                "sdram",
                "a table",
                "one only with `host = \"uart\"`",
                "remove `[sdram]`, or choose the serial host port",
            ));
        }
        let (memory, kib) = (&self.memory, chip.kib());
        if memory.kib != kib {
            return Err(ConfigError::new(
                "memory.kib",
                memory.kib.to_string(),
                format!("{kib}, which the chip of `[sdram]` has"),
                format!("write {kib}, or correct the chip's bits"),
            ));
        }
        if !SdramConfig::CLOCK_MHZ.contains(&self.clock_mhz) {
            let (low, high) = SdramConfig::CLOCK_MHZ.into_inner();
            return Err(ConfigError::new(
                "clock_mhz",
                self.clock_mhz.to_string(),
                format!("{low} to {high} with `[sdram]`, whose chip has half a cycle to answer"),
                "choose another clock, or remove `[sdram]`",
            ));
        }
        let words = memory.bus_bytes * 8 / chip.data_bits;
        if words > 8 {
            return Err(ConfigError::new(
                "memory.bus_bytes",
                memory.bus_bytes.to_string(),
                format!("at most {}, eight words of the chip", chip.data_bits),
                "choose a narrower bus, or a wider chip",
            ));
        }
        Ok(())
    }
}

fn is_identifier(name: &str) -> bool {
    name.len() <= 32
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
