//! nextpnr's report: clock rates and the path that limits each.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::harness::INSTANCE;
use crate::error::Error;

/// A clock with the rate it can run at.
#[derive(Debug, Serialize)]
pub(super) struct Clock {
    pub(super) name: String,
    pub(super) fmax_mhz: f64,
    pub(super) critical_path: Option<CriticalPath>,
}

/// The slowest path from register to register of one clock.
#[derive(Debug, Serialize)]
pub(super) struct CriticalPath {
    pub(super) from: String,
    pub(super) to: String,
    /// Nets on the way, in order.
    pub(super) nets: Vec<String>,
    pub(super) logic_ns: f64,
    pub(super) routing_ns: f64,
    /// Neither end is in the module.
    pub(super) in_harness: bool,
}

#[derive(Deserialize)]
struct Document {
    fmax: BTreeMap<String, Rate>,
    critical_paths: Vec<TimingPath>,
}

#[derive(Deserialize)]
struct Rate {
    achieved: f64,
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

/// Reads the report.
///
/// # Errors
/// When it has no clock: nothing would have been measured.
pub(super) fn read(path: &Path) -> Result<Vec<Clock>, Error> {
    let text = fs::read_to_string(path).map_err(Error::file(path))?;
    parse(&text).map_err(|error| Error::format(path.display().to_string(), error))
}

fn parse(text: &str) -> Result<Vec<Clock>, String> {
    let document: Document = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if document.fmax.is_empty() {
        return Err("there is no clock in it".to_owned());
    }
    let clock = |(net, rate): (&String, &Rate)| {
        let edge = format!("posedge {net}");
        let path = document.critical_paths.iter().find(|path| path.from == edge && path.to == edge);
        Clock {
            name: clock_name(net).to_owned(),
            fmax_mhz: rate.achieved,
            critical_path: path.and_then(|path| critical_path(&path.path)),
        }
    };
    Ok(document.fmax.iter().map(clock).collect())
}

/// `$glbnet$clk$TRELLIS_IO_IN` is the input `clk` behind its pin, on a global wire.
fn clock_name(net: &str) -> &str {
    let net = net.strip_prefix("$glbnet$").unwrap_or(net);
    net.strip_suffix("$TRELLIS_IO_IN").unwrap_or(net)
}

fn critical_path(segments: &[Segment]) -> Option<CriticalPath> {
    let (first, last) = (segments.first()?, segments.last()?);
    let delay = |routing: bool| {
        segments.iter().filter(|s| (s.kind == "routing") == routing).map(|s| s.delay).sum()
    };
    let of_module = |pin: &Pin| pin.cell.starts_with(&format!("{INSTANCE}."));
    Some(CriticalPath {
        from: format!("{}.{}", first.from.cell, first.from.port),
        to: format!("{}.{}", last.to.cell, last.to.port),
        nets: segments.iter().filter_map(|segment| segment.net.clone()).collect(),
        logic_ns: delay(false),
        routing_ns: delay(true),
        in_harness: !of_module(&first.from) && !of_module(&last.to),
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
            "utilization": {}}"#;
        let clocks = parse(text).unwrap();
        insta::assert_snapshot!(serde_json::to_string_pretty(&clocks).unwrap());
    }

    #[test]
    fn a_report_without_clock_is_an_error() {
        assert!(parse(r#"{"fmax": {}, "critical_paths": []}"#).is_err());
        assert!(parse("{").is_err());
    }
}
