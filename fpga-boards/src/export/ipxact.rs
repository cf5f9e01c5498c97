//! IP-XACT: an IEEE 1685-2014 component with its buses, ports and files.

use std::io;

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};

use super::interfaces::{Interface, interfaces};
use super::{LIBRARY, VENDOR, VERSION};
use crate::{Design, Direction, Port};

const SCHEMA: &str = "http://www.accellera.org/XMLSchema/IPXACT/1685-2014";

type Xml = Writer<Vec<u8>>;

/// `<name>.xml`. BAR0 of a card with an AXI4-Lite slave appears as a memory map of `registers_bytes`.
///
/// # Errors
/// None in practice: it writes to memory.
pub fn ipxact(design: &Design, registers_bytes: u32) -> io::Result<(String, String)> {
    let mut xml = Writer::new_with_indent(Vec::new(), b' ', 2);
    xml.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let location = format!("{SCHEMA} {SCHEMA}/index.xsd");
    let component = xml.create_element("ipxact:component").with_attributes([
        ("xmlns:ipxact", SCHEMA),
        ("xmlns:xsi", "http://www.w3.org/2001/XMLSchema-instance"),
        ("xsi:schemaLocation", location.as_str()),
    ]);
    let buses = interfaces(design);
    component.write_inner_content(|xml| {
        vlnv(xml, &design.name)?;
        xml.create_element("ipxact:busInterfaces").write_inner_content(|xml| {
            buses.iter().try_for_each(|bus| bus_interface(xml, bus))?;
            line(xml, "clk", "clock", "CLK")?;
            line(xml, "rst", "reset", "RST")
        })?;
        if buses.iter().any(|bus| bus.master) {
            xml.create_element("ipxact:addressSpaces").write_inner_content(|xml| {
                buses.iter().filter(|bus| bus.master).try_for_each(|bus| address_space(xml, bus))
            })?;
        }
        if buses.iter().any(|bus| !bus.master) {
            xml.create_element("ipxact:memoryMaps")
                .write_inner_content(|xml| memory_map(xml, registers_bytes))?;
        }
        xml.create_element("ipxact:model").write_inner_content(|xml| model(xml, design))?;
        xml.create_element("ipxact:fileSets").write_inner_content(|xml| file_set(xml, design))?;
        text(xml, "description", &format!("Matrix card {}", design.name))
    })?;
    let mut text = String::from_utf8_lossy(&xml.into_inner()).into_owned();
    text.push('\n');
    Ok((format!("{}.xml", design.name), text))
}

fn text(xml: &mut Xml, name: &str, content: &str) -> io::Result<()> {
    xml.create_element(format!("ipxact:{name}")).write_text_content(BytesText::new(content))?;
    Ok(())
}

fn inner(
    xml: &mut Xml,
    name: &str,
    content: impl FnOnce(&mut Xml) -> io::Result<()>,
) -> io::Result<()> {
    xml.create_element(format!("ipxact:{name}")).write_inner_content(content)?;
    Ok(())
}

fn vlnv(xml: &mut Xml, name: &str) -> io::Result<()> {
    text(xml, "vendor", VENDOR)?;
    text(xml, "library", LIBRARY)?;
    text(xml, "name", name)?;
    text(xml, "version", VERSION)
}

/// The type of a bus, by the names AMD's tools know.
fn bus_type(xml: &mut Xml, library: &str, name: &str) -> io::Result<()> {
    xml.create_element("ipxact:busType")
        .with_attributes([
            ("vendor", "xilinx.com"),
            ("library", library),
            ("name", name),
            ("version", "1.0"),
        ])
        .write_empty()?;
    Ok(())
}

fn port_map(xml: &mut Xml, logical: &str, physical: &str) -> io::Result<()> {
    inner(xml, "portMap", |xml| {
        inner(xml, "logicalPort", |xml| text(xml, "name", logical))?;
        inner(xml, "physicalPort", |xml| text(xml, "name", physical))
    })
}

fn abstraction(
    xml: &mut Xml,
    (library, name): (&str, &str),
    ports: impl FnOnce(&mut Xml) -> io::Result<()>,
) -> io::Result<()> {
    inner(xml, "abstractionTypes", |xml| {
        inner(xml, "abstractionType", |xml| {
            let name = format!("{name}_rtl");
            xml.create_element("ipxact:abstractionRef")
                .with_attributes([
                    ("vendor", "xilinx.com"),
                    ("library", library),
                    ("name", name.as_str()),
                    ("version", "1.0"),
                ])
                .write_empty()?;
            inner(xml, "portMaps", ports)
        })
    })
}

fn bus_interface(xml: &mut Xml, bus: &Interface<'_>) -> io::Result<()> {
    inner(xml, "busInterface", |xml| {
        text(xml, "name", &bus.name)?;
        bus_type(xml, "interface", "aximm")?;
        abstraction(xml, ("interface", "aximm"), |xml| {
            bus.ports.iter().try_for_each(|(logical, port)| port_map(xml, logical, &port.name))
        })?;
        if bus.master {
            inner(xml, "master", |xml| {
                let space = format!("{}_space", bus.name);
                xml.create_element("ipxact:addressSpaceRef")
                    .with_attribute(("addressSpaceRef", space.as_str()))
                    .write_empty()?;
                Ok(())
            })
        } else {
            inner(xml, "slave", |xml| {
                xml.create_element("ipxact:memoryMapRef")
                    .with_attribute(("memoryMapRef", "bar0"))
                    .write_empty()?;
                Ok(())
            })
        }
    })
}

/// A clock or reset input as an interface of one line.
fn line(xml: &mut Xml, port: &str, kind: &str, logical: &str) -> io::Result<()> {
    inner(xml, "busInterface", |xml| {
        text(xml, "name", port)?;
        bus_type(xml, "signal", kind)?;
        abstraction(xml, ("signal", kind), |xml| port_map(xml, logical, port))?;
        xml.create_element("ipxact:slave").write_empty()?;
        Ok(())
    })
}

fn address_space(xml: &mut Xml, bus: &Interface<'_>) -> io::Result<()> {
    inner(xml, "addressSpace", |xml| {
        text(xml, "name", &format!("{}_space", bus.name))?;
        text(xml, "range", &format!("{:#x}", 1u128 << bus.address_bits.min(64)))?;
        let data = bus.ports.iter().find(|(name, _)| name == "RDATA");
        text(xml, "width", &data.map_or(0, |(_, port)| port.width).to_string())
    })
}

fn memory_map(xml: &mut Xml, bytes: u32) -> io::Result<()> {
    inner(xml, "memoryMap", |xml| {
        text(xml, "name", "bar0")?;
        inner(xml, "addressBlock", |xml| {
            text(xml, "name", "registers")?;
            text(xml, "baseAddress", "0")?;
            text(xml, "range", &bytes.to_string())?;
            text(xml, "width", "32")?;
            text(xml, "usage", "register")
        })
    })
}

fn model(xml: &mut Xml, design: &Design) -> io::Result<()> {
    inner(xml, "views", |xml| {
        inner(xml, "view", |xml| {
            text(xml, "name", "rtl")?;
            text(xml, "envIdentifier", "verilogSource:any:")?;
            text(xml, "componentInstantiationRef", "rtl")
        })
    })?;
    inner(xml, "instantiations", |xml| {
        inner(xml, "componentInstantiation", |xml| {
            text(xml, "name", "rtl")?;
            text(xml, "language", "verilog")?;
            text(xml, "moduleName", &design.top)?;
            inner(xml, "fileSetRef", |xml| text(xml, "localName", "rtl"))
        })
    })?;
    inner(xml, "ports", |xml| design.ports.iter().try_for_each(|port| wire(xml, port)))
}

fn wire(xml: &mut Xml, port: &Port) -> io::Result<()> {
    inner(xml, "port", |xml| {
        text(xml, "name", &port.name)?;
        inner(xml, "wire", |xml| {
            let direction = if port.direction == Direction::Input { "in" } else { "out" };
            text(xml, "direction", direction)?;
            if port.width == 1 {
                return Ok(());
            }
            inner(xml, "vectors", |xml| {
                inner(xml, "vector", |xml| {
                    text(xml, "left", &(port.width - 1).to_string())?;
                    text(xml, "right", "0")
                })
            })
        })
    })
}

fn file_set(xml: &mut Xml, design: &Design) -> io::Result<()> {
    inner(xml, "fileSet", |xml| {
        text(xml, "name", "rtl")?;
        design.files.iter().try_for_each(|(name, _)| {
            inner(xml, "file", |xml| {
                text(xml, "name", name)?;
                text(xml, "fileType", "verilogSource")
            })
        })
    })
}
