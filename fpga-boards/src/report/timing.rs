//! nextpnr's report: clock rates and the path that limits each.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{FormatError, read};

/// What nextpnr found.
#[derive(Clone, Debug, Serialize)]
pub struct Timing {
    /// Every clock.
    pub clocks: Vec<TimedClock>,
    /// Cells of each kind: used, and there on the part.
    pub utilisation: BTreeMap<String, (u64, u64)>,
}

/// A clock with the rate it can run at.
#[derive(Clone, Debug, Serialize)]
pub struct TimedClock {
    /// Its net, by the name the design gave it.
    pub name: String,
    /// Fastest rate.
    pub fmax_mhz: f64,
    /// Rate asked for.
    pub asked_mhz: f64,
    /// What limits it.
    pub critical_path: Option<CriticalPath>,
}

/// The slowest path from register to register of one clock.
#[derive(Clone, Debug, Serialize)]
pub struct CriticalPath {
    /// Cell and port where it begins.
    pub from: String,
    /// Cell and port where it ends.
    pub to: String,
    /// Nets on the way, in order.
    pub nets: Vec<String>,
    /// Time in cells.
    pub logic_ns: f64,
    /// Time in wires.
    pub routing_ns: f64,
}

#[derive(Deserialize)]
struct Document {
    fmax: BTreeMap<String, Rate>,
    critical_paths: Vec<TimingPath>,
    #[serde(default)]
    utilization: BTreeMap<String, Usage>,
}

#[derive(Deserialize)]
struct Rate {
    achieved: f64,
    #[serde(default)]
    constraint: f64,
}

#[derive(Deserialize)]
struct Usage {
    used: u64,
    available: u64,
}

#[derive(Deserialize)]
struct TimingPath {
    from: String,
    to: String,
    path: Vec<Segment>,
}

#[derive(Deserialize)]
struct Segment {
    delay: f64,
    from: Pin,
    to: Pin,
    net: Option<String>,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
struct Pin {
    cell: String,
    port: String,
}

impl Timing {
    /// Reads the report.
    ///
    /// # Errors
    /// [`FormatError`]; also when there is no clock in it: nothing would have been measured.
    pub fn read(path: &Path) -> Result<Self, FormatError> {
        read(path, Self::parse)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let document: Document = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if document.fmax.is_empty() {
            return Err("there is no clock in it".to_owned());
        }
        let clock = |(net, rate): (&String, &Rate)| {
            let edge = format!("posedge {net}");
            let path =
                document.critical_paths.iter().find(|path| path.from == edge && path.to == edge);
            TimedClock {
                name: clock_name(net).to_owned(),
                fmax_mhz: rate.achieved,
                asked_mhz: rate.constraint,
                critical_path: path.and_then(|path| critical_path(&path.path)),
            }
        };
        let clocks = document.fmax.iter().map(clock).collect();
        let used = document.utilization.into_iter();
        let utilisation = used.map(|(kind, u)| (kind, (u.used, u.available))).collect();
        Ok(Self { clocks, utilisation })
    }

    /// The clock that is nearest to missing the rate asked of it, or misses it most.
    pub fn tightest(&self) -> &TimedClock {
        let slack = |clock: &&TimedClock| clock.fmax_mhz / clock.asked_mhz.max(1e-9);
        let tightest = self.clocks.iter().min_by(|a, b| slack(a).total_cmp(&slack(b)));
        // There is one: `parse` sees to it.
        tightest.unwrap_or(&self.clocks[0])
    }
}

/// `$glbnet$clk$TRELLIS_IO_IN` is the input `clk` behind its pin, on a global wire.
fn clock_name(net: &str) -> &str {
    let net = net.strip_prefix("$glbnet$").unwrap_or(net);
    net.strip_suffix("$TRELLIS_IO_IN").or_else(|| net.strip_suffix("$SB_IO_IN")).unwrap_or(net)
}

fn critical_path(segments: &[Segment]) -> Option<CriticalPath> {
    let (first, last) = (segments.first()?, segments.last()?);
    let delay = |routing: bool| {
        segments.iter().filter(|s| (s.kind == "routing") == routing).map(|s| s.delay).sum()
    };
    Some(CriticalPath {
        from: format!("{}.{}", first.from.cell, first.from.port),
        to: format!("{}.{}", last.to.cell, last.to.port),
        nets: segments.iter().filter_map(|segment| segment.net.clone()).collect(),
        logic_ns: delay(false),
        routing_ns: delay(true),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_each_clock_is_found() {
        let text = r#"{"fmax": {"$glbnet$clk$TRELLIS_IO_IN": {"achieved": 142.9, "constraint": 200}},
            "critical_paths": [
              {"from": "<async>", "to": "posedge $glbnet$clk$TRELLIS_IO_IN", "path": []},
              {"from": "posedge $glbnet$clk$TRELLIS_IO_IN", "to": "posedge $glbnet$clk$TRELLIS_IO_IN", "path": [
                {"delay": 0.5, "type": "clk-to-q", "from": {"cell": "dut.a", "port": "Q"}, "to": {"cell": "dut.a", "port": "Q"}},
                {"delay": 1.25, "type": "routing", "net": "dut.a_q[7]", "from": {"cell": "dut.a", "port": "Q"}, "to": {"cell": "dut.m", "port": "A7"}},
                {"delay": 4.0, "type": "logic", "from": {"cell": "dut.m", "port": "A7"}, "to": {"cell": "dut.m", "port": "P1"}}]}],
            "utilization": {"TRELLIS_COMB": {"used": 12, "available": 83640}}}"#;
        let timing = Timing::parse(text).unwrap();
        insta::assert_snapshot!(serde_json::to_string_pretty(&timing).unwrap());
    }

    #[test]
    fn a_report_without_clock_is_an_error() {
        assert!(Timing::parse(r#"{"fmax": {}, "critical_paths": []}"#).is_err());
        assert!(Timing::parse("{").is_err());
    }
}
