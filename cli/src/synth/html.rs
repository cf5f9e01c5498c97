//! The summary as one page without anything from outside.

use fpga_boards::report::{ModuleArea, TimedClock};
use fpga_boards::{Board, Built};

use super::report::{Report, shown};
use crate::output::grouped;

const STYLE: &str = "
:root{color-scheme:light dark;--bar:#3b6ea8;--rest:#8883}
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:0 auto;padding:1rem}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{text-align:right;padding:.2rem .5rem;border-bottom:1px solid var(--rest)}
th:first-child,td:first-child{text-align:left;overflow-wrap:anywhere}
.bar{display:block;height:.6rem;background:var(--rest);min-width:4rem}
.bar i{display:block;height:100%;background:var(--bar)}
code{overflow-wrap:anywhere}
.wide{overflow-x:auto}
@media print{body{max-width:none}.bar i{print-color-adjust:exact}}
";

/// The page.
pub(super) fn page(report: &Report, built: &Built, board: &Board) -> String {
    let title = escaped(&report.title());
    let mut text = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <title>{title}</title><style>{STYLE}</style></head><body>\n<h1>{title}</h1>\n\
         <p>{}, {}. {}</p>\n",
        escaped(&board.name),
        escaped(&board.fpga.part),
        escaped(&report.speed())
    );
    text += "<h2>Utilisation</h2>\n<table><tr><th>Resource<th>Used<th>Of<th>%<th></tr>\n";
    for (name, count, there) in report.rows() {
        let percent = there.map_or(0.0, |there| 100.0 * count as f64 / there.max(1) as f64);
        let there = there.map_or("-".into(), grouped);
        text += &format!(
            "<tr><td>{name}<td>{}<td>{there}<td>{percent:.1}<td>{}</tr>\n",
            grouped(count),
            bar(percent)
        );
    }
    text += "</table>\n<h2>Area by module</h2>\n<div class=\"wide\"><table>\
             <tr><th>Instance<th>LUT<th>FF<th>DSP<th>RAM<th>LUT of all</tr>\n";
    let all = built.modules.first().map_or(1, |module| module.area.lut).max(1);
    for ModuleArea { path, area } in shown(&built.modules) {
        text += &format!(
            "<tr><td><code>{}</code><td>{}<td>{}<td>{}<td>{}<td>{}</tr>\n",
            escaped(path),
            grouped(area.lut),
            grouped(area.ff),
            area.dsp,
            area.bram + area.spram,
            bar(100.0 * area.lut as f64 / all as f64)
        );
    }
    text += "</table></div>\n<h2>Clocks</h2>\n";
    built.timing.clocks.iter().for_each(|clock| text += &clock_part(clock));
    text + "</body></html>\n"
}

fn clock_part(clock: &TimedClock) -> String {
    let TimedClock { name, fmax_mhz, asked_mhz, critical_path } = clock;
    let mut text = format!(
        "<h3><code>{}</code></h3>\n<p>Reaches {fmax_mhz:.1} MHz of {asked_mhz:.1} MHz asked.</p>\n",
        escaped(name)
    );
    if let Some(path) = critical_path {
        text += &format!(
            "<p>Slowest path: from <code>{}</code> to <code>{}</code>, {:.2} ns in cells, {:.2} ns in wires, by</p>\n<ol>\n",
            escaped(&path.from),
            escaped(&path.to),
            path.logic_ns,
            path.routing_ns
        );
        for net in &path.nets {
            text += &format!("<li><code>{}</code></li>\n", escaped(net));
        }
        text += "</ol>\n";
    }
    text
}

fn bar(percent: f64) -> String {
    format!("<span class=\"bar\"><i style=\"width:{:.1}%\"></i></span>", percent.clamp(0.0, 100.0))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
