//! Reads the port list that Verilator wrote into the class header of a model.
//!
//! The header states name, direction and exact range of every port as a macro, one a line:
//! `VL_IN8(&clk,0,0);`, `VL_OUTW(&sum,127,0,4);`. Reading it back gives a contract that is stronger than a size
//! (5 and 6 bits share a byte) and needs no Verilog parser.

use crate::port::{Direction, Port};

/// A port and the C++ member that stores it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) port: Port,
    pub(crate) member: String,
}

/// Every port in the class header `text`, in its order.
pub(crate) fn members(text: &str) -> Vec<Member> {
    text.lines().filter_map(|line| member(line.trim())).collect()
}

fn member(line: &str) -> Option<Member> {
    let (kind, rest) = line.split_once("(&")?;
    let direction = match kind.trim_end_matches(|c: char| c.is_ascii_digit() || c == 'W') {
        "VL_IN" => Direction::Input,
        "VL_OUT" => Direction::Output,
        "VL_INOUT" => Direction::Inout,
        _ => return None,
    };
    let mut fields = rest.strip_suffix(");")?.split(',');
    let member = fields.next()?.to_owned();
    let left: i64 = fields.next()?.parse().ok()?;
    let right: i64 = fields.next()?.parse().ok()?;
    let width = u32::try_from(left.abs_diff(right) + 1).ok()?;
    Some(Member { port: Port { name: verilog_name(&member), direction, width }, member })
}

/// Undoes Verilator's name encoding: `__0hh` is a byte, `__SYM__` guards a C++ keyword.
fn verilog_name(member: &str) -> String {
    let mut rest = member.strip_prefix("__SYM__").unwrap_or(member);
    let mut name = String::with_capacity(rest.len());
    while let Some(first) = rest.chars().next() {
        let code = rest.strip_prefix("__0").and_then(|tail| tail.get(..2));
        match code.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                name.push(char::from(byte));
                rest = &rest[5..];
            }
            None => {
                name.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
    }
    name
}

/// The table that `shim.cpp` expands: `PORTS(X)` and `PORT_COUNT`.
pub(crate) fn port_table(members: &[Member]) -> String {
    let mut text = format!("#define PORT_COUNT {}\n#define PORTS(X)", members.len());
    for (index, Member { port, member }) in members.iter().enumerate() {
        let name = port.name.replace('\\', "\\\\").replace('"', "\\\"");
        let direction = match port.direction {
            Direction::Input => 0,
            Direction::Output => 1,
            Direction::Inout => 2,
        };
        text += &format!(" \\\n    X({index}, \"{name}\", {member}, {}, {direction})", port.width);
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "
    // The application code writes and reads these signals
    VL_IN8(&clk,0,0);
    VL_IN8(&a___05Fb,7,0);
    VL_OUT8(&__SYM__template,0,0);
    VL_IN8(&odd,3,1);
    VL_IN16(&up,0,11);
    VL_INW(&w,64,0,3);
    VL_OUTW(&o,511,0,16);
    VL_INOUT64(&s,32,0);
    CData/*0:0*/ not_a_port;
";

    #[test]
    fn every_port_is_read_with_its_verilog_name() {
        let read: Vec<String> = members(HEADER).iter().map(|m| m.port.to_string()).collect();
        insta::assert_snapshot!(read.join("\n"));
    }

    #[test]
    fn the_table_names_the_members() {
        insta::assert_snapshot!(port_table(&members(HEADER)));
    }
}
