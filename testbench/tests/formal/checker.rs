//! From a harness to the answer of the model checker: yosys makes an and-inverter graph, ABC judges each of its properties.

use std::fs;
use std::path::{Path, PathBuf};

use mattock_hw::formal::{Bound, Proof};
use mattock_toolbox::Toolbox;
use rtl_gen::Design;
use rtl_gen::ir::{DomainDef, ModuleDef, Port, Timing};
use serde::Deserialize;

/// Edges of each clock in reset.
const RESET_EDGES: usize = 4;

/// What is asked of a harness.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Question {
    /// Do the assertions hold?
    Assertions,
    /// Can the cover points be reached?
    Covers,
}

/// The answer about one property.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    /// In every reachable state.
    Proved,
    /// In every run of that many cycles.
    HoldsUntil(u32),
    /// Violated, or reached, in that cycle.
    Reached(u32),
}

/// The properties of a harness as an and-inverter graph in a folder of its own.
pub(crate) struct Model {
    folder: PathBuf,
    /// Names of the properties, in the order of the graph's outputs.
    pub(crate) properties: Vec<String>,
}

#[derive(Deserialize)]
struct Map {
    asserts: Vec<Vec<String>>,
}

impl Model {
    /// Writes the harness, changed by `edit`, below `folder` and lets yosys make its graph.
    pub(crate) fn new(
        toolbox: &Toolbox,
        folder: &Path,
        proof: &Proof,
        question: Question,
        edit: impl Fn(&str, &str) -> String,
    ) -> Self {
        let design = Design::elaborate(proof.harness.as_ref()).unwrap_or_else(|e| panic!("{e}"));
        fs::create_dir_all(folder).unwrap();
        let mut names = vec![];
        for file in design.verilog() {
            let text = edit(&file.name, &file.text);
            let name = format!("{}.v", file.name);
            fs::write(folder.join(&name), asked(&text, question)).unwrap();
            names.push(name);
        }
        fs::write(folder.join("model.ys"), script(design.top(), &names.join(" "))).unwrap();
        let mut yosys = toolbox.yosys().unwrap();
        let output = yosys.args(["-q", "-s", "model.ys"]).current_dir(folder).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {text}", design.top().name);
        let map: Map = serde_json::from_slice(&fs::read(folder.join("map.json")).unwrap()).unwrap();
        let name = |path: &Vec<String>| path.join(".").replace('\\', "");
        let properties = map.asserts.iter().map(name).collect();
        Model { folder: folder.to_owned(), properties }
    }

    /// Asks about one property.
    pub(crate) fn check(&self, toolbox: &Toolbox, property: usize, bound: Bound) -> Verdict {
        // Alone, with the logic it depends on: far quicker than all together.
        let read = format!("read_aiger model.aig; fold; strash; cone -O {property}; scleanup");
        let ask = |method: &str| self.ask(toolbox, &format!("{read}; {method}"));
        match bound {
            Bound::Unbounded => ask("pdr -c -n"),
            // What holds for a simple reason needs no bound; unrolling it takes the checker long.
            Bound::Cycles(cycles) => match ask("pdr -F 4") {
                Some(verdict) => Some(verdict),
                None => ask(&format!("&get; &bmcs -F {cycles}")),
            },
        }
        .unwrap_or_else(|| panic!("no answer about {}", self.properties[property]))
    }

    /// Searches that many cycles for a violation of any property.
    pub(crate) fn search(&self, toolbox: &Toolbox, cycles: u32) -> Option<Verdict> {
        self.ask(toolbox, &format!("read_aiger model.aig; fold; strash; bmc3 -F {cycles}"))
    }

    fn ask(&self, toolbox: &Toolbox, command: &str) -> Option<Verdict> {
        let mut abc = toolbox.abc().unwrap();
        let output = abc.args(["-c", command]).current_dir(&self.folder).output().unwrap();
        verdict(&String::from_utf8_lossy(&output.stdout))
    }
}

/// Reads ABC's answer.
fn verdict(text: &str) -> Option<Verdict> {
    let number = |after: &str| {
        let (_, rest) = text.split_once(after)?;
        rest.trim_start().split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
    };
    if text.contains("Property proved.") {
        Some(Verdict::Proved)
    } else if let Some(cycle) = number("was asserted in frame ") {
        Some(Verdict::Reached(cycle))
    } else {
        number("No output failed in ").map(Verdict::HoldsUntil)
    }
}

/// A cover point is reached where the assertion of its contrary fails.
fn asked(text: &str, question: Question) -> String {
    let line = |line: &str| match (question, line.contains(": assert("), line.contains(": cover("))
    {
        (Question::Assertions, _, true) | (Question::Covers, true, _) => String::new(),
        (Question::Covers, _, true) => line.replace(": cover(", ": assert(!(").replace(");", "));"),
        _ => line.to_owned(),
    };
    text.lines().map(|l| line(l) + "\n").collect()
}

fn script(top: &ModuleDef, files: &str) -> String {
    let name = &top.name;
    let constants: Vec<&Port> = top.ports.iter().filter(|p| p.timing == Timing::Static).collect();
    let constants: String =
        constants.iter().map(|p| format!("delete -port i:{}; ", p.name)).collect();
    let used: Vec<&DomainDef> = top.domains.iter().filter(|d| d.clock_port.is_some()).collect();
    let ones = |n: usize| vec!["1"; n].join(",");
    let reset: String = if let [only] = used[..] {
        // One clock: a step of the graph is a cycle, the first one in reset.
        format!("async2sync; chformal -lower; fminit -seq {} 1,0", only.reset)
    } else {
        // Clocks are inputs: they tick together during reset, then as they like.
        let ticks = ["0,1"; RESET_EDGES].join(",");
        let signals: String = (used.iter())
            .map(|d| {
                let (clock, reset) = (&d.clock, &d.reset);
                format!(" -seq {reset} {},0 -seq {clock} {ticks},1'bz", ones(2 * RESET_EDGES))
            })
            .collect();
        format!("clk2fflogic; chformal -lower; fminit{signals}")
    };
    format!(
        "read_verilog -formal -sv {files}\n\
         prep -flatten -top {name}\n\
         {constants}setundef -undriven -anyconst\n\
         {reset}\n\
         memory_map -formal; formalff -clk2ff -ff2anyinit\n\
         opt -full; techmap; opt -fast; setundef -anyseq; dffunmap; aigmap; opt_clean\n\
         write_aiger -I -B -zinit -no-startoffset -ywmap map.json model.aig\n"
    )
}

#[test]
fn answers_are_read() {
    assert_eq!(verdict("Property proved.  Time =     1.77 sec"), Some(Verdict::Proved));
    let text = "Output 5 of miter \"m\" was asserted in frame 21. Time =     0.67 sec";
    assert_eq!(verdict(text), Some(Verdict::Reached(21)));
    let text =
        "Output 0 was asserted in frame  4 (solved 1 out of 1 outputs).  Time =     0.00 sec";
    assert_eq!(verdict(text), Some(Verdict::Reached(4)));
    let text = "No output failed in 41 frames.  Time =     4.10 sec";
    assert_eq!(verdict(text), Some(Verdict::HoldsUntil(41)));
    assert_eq!(verdict("Cannot open input file \"model.aig\"."), None);
}
