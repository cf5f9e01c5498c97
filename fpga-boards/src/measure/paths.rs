//! The longest paths from register to register of a mapped netlist, before placement.
//!
//! yosys' `ltp` takes no flat netlist of this size; this is the textbook longest path through a graph
//! without cycles (arrival times in topological order, Hitchcock 1982), some seconds for 100,000 cells.
//!
//! Length is counted in *levels*: one LUT with the wires behind it, about 1.3 ns on ECP5 as nextpnr places it.
//! Entering or leaving a carry chain is a level and a hop along it a sixteenth; an asynchronous read of LUT RAM is
//! one level; the output of a block RAM or of a multiplier without output register comes four levels late.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer, Serialize};

/// Sixteenths of a level.
const LEVEL: u32 = 16;
/// How much later than a flip-flop's the output of a block comes.
const BLOCK: u32 = 4 * LEVEL;

#[derive(Deserialize)]
struct Netlist {
    modules: BTreeMap<String, Module>,
}

#[derive(Deserialize)]
struct Module {
    cells: BTreeMap<String, Cell>,
    netnames: BTreeMap<String, Net>,
}

#[derive(Deserialize)]
struct Cell {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    parameters: BTreeMap<String, serde_json::Value>,
    port_directions: BTreeMap<String, String>,
    connections: BTreeMap<String, Vec<Bit>>,
}

#[derive(Deserialize)]
struct Net {
    #[serde(default)]
    hide_name: u8,
    bits: Vec<Bit>,
}

/// A wire of the netlist; `None` is a constant.
#[derive(Clone, Copy)]
struct Bit(Option<u32>);

impl<'de> Deserialize<'de> for Bit {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either {
            Wire(u32),
            Constant(IgnoredAny),
        }
        Ok(match Either::deserialize(from)? {
            Either::Wire(bit) => Bit(Some(bit)),
            Either::Constant(_) => Bit(None),
        })
    }
}

/// The longest path between two registers, bits of a word taken as one.
#[derive(Debug, PartialEq, Serialize)]
pub struct Path {
    /// LUT levels.
    pub levels: f64,
    /// Signals from the register it starts at to the one it ends at, each with the levels up to it.
    pub signals: Vec<(String, f64)>,
}

/// What drives a wire through logic: the wire before it, and how long that takes.
struct Arc {
    from: u32,
    to: u32,
    length: u32,
}

/// Where a path ends.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct End {
    wire: u32,
    /// A wire with the name of the register behind it.
    known_as: u32,
}

/// How a cell takes part in paths.
enum Role {
    /// Paths end at its inputs and start, so much late, at its outputs.
    Register(u32),
    /// Every input leads to every output.
    Logic,
    Carry,
    LutRam,
}

fn role(cell: &Cell) -> Role {
    match cell.kind.as_str() {
        "LUT4" | "PFUMX" | "L6MUX21" => Role::Logic,
        "CCU2C" => Role::Carry,
        "TRELLIS_DPR16X4" => Role::LutRam,
        "DP16KD" | "PDPW16KD" => {
            let has = |port: &str| {
                let mode = cell.parameters.get(port);
                mode.is_some_and(|mode| mode.as_str() == Some("OUTREG"))
            };
            let registered = has("REGMODE_A") && (has("REGMODE_B") || cell.kind == "PDPW16KD");
            Role::Register(if registered { 0 } else { BLOCK })
        }
        "MULT18X18D" | "ALU54B" => {
            let registered = |name: &str| {
                let clock = cell.parameters.get(name).and_then(|value| value.as_str());
                clock.is_some_and(|clock| clock != "NONE")
            };
            let late = |registers: &[&str]| registers.iter().all(|name| !registered(name));
            let inputs = ["REG_INPUTA_CLK", "REG_INPUTB_CLK", "REG_PIPELINE_CLK"];
            match (late(&["REG_OUTPUT_CLK"]), late(&inputs)) {
                (true, true) => Role::Logic,
                (late, _) => Role::Register(if late { BLOCK } else { 0 }),
            }
        }
        _ => Role::Register(0),
    }
}

/// Finds the longest path for each pair of start and end, longest first, at most `count`.
///
/// # Errors
/// What is wrong with the netlist.
pub(super) fn longest(text: &str, top: &str, count: usize) -> Result<Vec<Path>, String> {
    let mut netlist: Netlist = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let module = netlist.modules.remove(top).ok_or_else(|| format!("no module {top}"))?;
    let names = names(&module);
    let mut arcs: Vec<Arc> = vec![];
    // Wires that registers drive, and how late; wires that end at one.
    let (mut starts, mut ends): (HashMap<u32, u32>, Vec<End>) = (HashMap::new(), vec![]);
    for cell in module.cells.values() {
        let wires = |direction: &str| -> Vec<(&str, u32)> {
            let ports = (cell.connections.iter())
                .filter(|(port, _)| cell.port_directions[*port] == direction);
            ports
                .flat_map(|(port, bits)| bits.iter().filter_map(|b| Some((&**port, b.0?))))
                .collect()
        };
        let (inputs, outputs) = (wires("input"), wires("output"));
        let mut join = |from: u32, to: u32, length: u32| arcs.push(Arc { from, to, length });
        match role(cell) {
            Role::Register(late) => {
                // A flip-flop is known by its output.
                let own = (cell.kind == "TRELLIS_FF").then(|| outputs.first()).flatten();
                let end = |(_, wire): &(&str, u32)| End {
                    wire: *wire,
                    known_as: own.map_or(*wire, |o| o.1),
                };
                ends.extend(inputs.iter().map(end));
                starts.extend(outputs.iter().map(|(_, bit)| (*bit, late)));
            }
            Role::Logic => {
                for (_, to) in &outputs {
                    inputs.iter().for_each(|(_, from)| join(*from, *to, LEVEL));
                }
            }
            Role::Carry => {
                for (out, to) in &outputs {
                    for (port, from) in inputs.iter().filter(|(port, _)| reaches(port, out)) {
                        let hop = *port == "CIN" && *out == "COUT";
                        join(*from, *to, if hop { 1 } else { LEVEL });
                    }
                }
            }
            Role::LutRam => {
                let (read, write): (Vec<_>, Vec<_>) =
                    inputs.iter().partition(|(port, _)| *port == "RAD");
                ends.extend(write.iter().map(|(_, bit)| End { wire: *bit, known_as: *bit }));
                for (_, to) in &outputs {
                    starts.insert(*to, LEVEL);
                    read.iter().for_each(|(_, from)| join(*from, *to, LEVEL));
                }
            }
        }
    }
    let (arrival, before) = arrivals(&arcs, &starts)?;
    let mut worst: BTreeMap<(&str, &str), (u32, End)> = BTreeMap::new();
    let name = |bit: u32| names.get(&bit).map_or("", String::as_str);
    for &end in &ends {
        let Some(&length) = arrival.get(&end.wire) else { continue };
        let mut start = end.wire;
        while let Some(&from) = before.get(&start) {
            start = from;
        }
        let pair = worst.entry((name(start), name(end.known_as))).or_insert((length, end));
        if length > pair.0 {
            *pair = (length, end);
        }
    }
    let mut worst: Vec<(u32, End)> = worst.into_values().collect();
    worst.sort_by(|a, b| b.cmp(a));
    worst.truncate(count);
    let levels = |length: u32| f64::from(length) / f64::from(LEVEL);
    let path = |&(length, end): &(u32, End)| {
        let mut signals: Vec<(String, f64)> = vec![(name(end.known_as).to_owned(), levels(length))];
        let mut at = Some(end.wire);
        while let Some(bit) = at {
            // Towards the start: of one name the last level counts.
            if signals.last().is_none_or(|last| last.0 != name(bit)) && !name(bit).is_empty() {
                signals.push((name(bit).to_owned(), levels(arrival[&bit])));
            }
            at = before.get(&bit).copied();
        }
        signals.reverse();
        Path { levels: levels(length), signals }
    };
    Ok(worst.iter().map(path).collect())
}

/// Whether an input of a carry cell leads to an output: the first bit does not see the second.
fn reaches(input: &str, output: &str) -> bool {
    output != "S0" || !input.ends_with('1')
}

/// A name for each wire: of those people gave, the one that is highest in the tree and shortest; else what yosys made of
/// the signal a cell drives. Bits of a word share it.
fn names(module: &Module) -> HashMap<u32, String> {
    let mut names: HashMap<u32, (u8, usize, String)> = HashMap::new();
    for (name, net) in &module.netnames {
        let made = name.find("_LUT4_").or(name.find("_CCU2C_")).or(name.find("_TRELLIS_"));
        let made = made.or(name.find("_PFUMX_")).or(name.find("_L6MUX21_"));
        let plain = &name[..made.unwrap_or(name.len())];
        let rank =
            if net.hide_name == 1 && name.starts_with('$') { 2 } else { u8::from(made.is_some()) };
        let plain = if rank == 2 { "" } else { plain };
        for bit in net.bits.iter().filter_map(|bit| bit.0) {
            let key = (rank, plain.len(), plain.to_owned());
            let known = names.entry(bit).or_insert_with(|| key.clone());
            if key < *known {
                *known = key;
            }
        }
    }
    names.into_iter().map(|(bit, (_, _, name))| (bit, name)).collect()
}

type Arrivals = (HashMap<u32, u32>, HashMap<u32, u32>);

/// When each wire is settled, and which wire it waited for.
fn arrivals(arcs: &[Arc], starts: &HashMap<u32, u32>) -> Result<Arrivals, String> {
    let (mut leaving, mut waits): (HashMap<u32, Vec<&Arc>>, HashMap<u32, usize>) =
        (HashMap::new(), HashMap::new());
    for arc in arcs {
        leaving.entry(arc.from).or_default().push(arc);
        *waits.entry(arc.to).or_default() += 1;
    }
    let mut arrival = starts.clone();
    let mut before = HashMap::new();
    // Wires without a driver here are inputs of the module.
    let mut settled: Vec<u32> =
        leaving.keys().copied().filter(|wire| !waits.contains_key(wire)).collect();
    for &wire in &settled {
        arrival.entry(wire).or_insert(0);
    }
    let mut open = waits.len();
    while let Some(wire) = settled.pop() {
        for arc in leaving.get(&wire).map_or(&[][..], Vec::as_slice) {
            let time = arrival[&wire] + arc.length;
            if arrival.get(&arc.to).is_none_or(|&known| time > known) {
                arrival.insert(arc.to, time);
                before.insert(arc.to, wire);
            }
            let left = waits.get_mut(&arc.to).expect("counted above");
            *left -= 1;
            if *left == 0 {
                open -= 1;
                settled.push(arc.to);
            }
        }
    }
    if open > 0 {
        return Err(format!("{open} wires are in loops of logic"));
    }
    Ok((arrival, before))
}

impl fmt::Display for Path {
    /// One signal a line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:5.1} levels", self.levels)?;
        self.signals.iter().try_for_each(|(signal, levels)| write!(f, "\n  {levels:5.1}  {signal}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `a` and `b` through two LUTs into `c`; `a` through a carry chain of four bits into `s`; a block RAM into `c`.
    const NETLIST: &str = include_str!("paths_example.json");

    #[test]
    fn paths_are_listed_longest_first() {
        let paths = longest(NETLIST, "top", 9).unwrap();
        let text: Vec<String> = paths.iter().map(Path::to_string).collect();
        insta::assert_snapshot!(text.join("\n"));
    }

    #[test]
    fn loops_are_refused() {
        let looped = NETLIST.replace("\"B\": [2]", "\"B\": [10]");
        assert_ne!(looped, NETLIST);
        insta::assert_snapshot!(longest(&looped, "top", 9).unwrap_err());
        insta::assert_snapshot!(longest(NETLIST, "card", 9).unwrap_err());
    }
}
