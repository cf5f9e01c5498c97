use std::path::Path;
use std::process::Command;

use crate::Session;

const SECTIONS: [&str; 9] = [
    "diagram",
    "roofline",
    "utilisation",
    "area",
    "timing",
    "traffic",
    "errors",
    "waveform",
    "reproduce",
];

#[test]
fn a_page_needs_nothing_from_outside() {
    let session = Session::new();
    let line = "report --config tiny --m 20 --n 12 --k 16 --out card.html --json";
    let report = session.json(line);
    assert_eq!(report["mismatches"], 0, "{report}");
    let page = session.read("card.html");
    for word in ["http://", "https://", "src=", "@import", "url(h"] {
        let found: Vec<&str> = page.lines().filter(|line| line.contains(word)).collect();
        let outside = found.iter().filter(|line| !line.contains("http://www.w3.org/2000/svg"));
        assert_eq!(outside.count(), 0, "{word}: {found:?}");
    }
    assert!(SECTIONS.iter().all(|id| page.contains(&format!("<section id=\"{id}\">"))));
    look(session.path(), &page);
}

/// Opens the page in a browser: in a frame as wide as a telephone, then to be printed.
fn look(folder: &Path, page: &str) {
    let Ok(browser) = mattock_toolbox::Toolbox::open().find_named("chromium") else {
        println!("SKIPPED: no chromium: the page was NOT looked at in a browser");
        return;
    };
    let inside = page.replace('&', "&amp;").replace('"', "&quot;");
    let sections = format!("{SECTIONS:?}");
    let frame = format!(
        "<!doctype html><body><pre id=\"seen\">nothing</pre>\
         <iframe id=\"page\" style=\"width:390px;height:844px;border:0\" srcdoc=\"{inside}\"></iframe>\
         <script>document.getElementById('page').onload = event => {{\
           const view = event.target.contentWindow, page = view.document;\
           const size = id => page.getElementById(id).getBoundingClientRect();\
           const shown = {sections}.filter(id => size(id).width > 100 && size(id).height > 40);\
           const pictures = [...page.querySelectorAll('figure svg')].map(p => p.getBoundingClientRect());\
           document.getElementById('seen').textContent = JSON.stringify({{\
             width: page.documentElement.scrollWidth, shown: shown.length,\
             pictures: pictures.filter(p => p.width > 200 && p.height > 100).length,\
             requests: view.performance.getEntriesByType('resource').length}});\
         }};</script></body>"
    );
    std::fs::write(folder.join("frame.html"), frame).unwrap();
    let run = |arguments: &[&str], file: &str| {
        let mut command = Command::new(&browser.path);
        command.args(["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr"]);
        command.arg(format!("--user-data-dir={}", folder.join("profile").display()));
        let url = format!("file://{}", folder.join(file).display());
        command.args(arguments).arg(url).current_dir(folder).output().unwrap()
    };
    let seen = run(&["--virtual-time-budget=5000", "--dump-dom"], "frame.html");
    let (dom, said) =
        (String::from_utf8_lossy(&seen.stdout), String::from_utf8_lossy(&seen.stderr));
    let text = dom.split("<pre id=\"seen\">").nth(1).and_then(|rest| rest.split("</pre>").next());
    let seen: serde_json::Value = serde_json::from_str(text.unwrap_or("")).expect(&said);
    assert!(seen["width"].as_u64().unwrap() <= 390, "it must be scrolled sideways: {seen}");
    assert_eq!(seen["shown"], SECTIONS.len(), "{seen}");
    assert_eq!((&seen["pictures"], &seen["requests"]), (&4.into(), &0.into()), "{seen}");
    assert!(!said.contains("CONSOLE"), "{said}");
    run(&["--print-to-pdf=page.pdf", "--no-pdf-header-footer"], "card.html");
    let pdf = std::fs::read(folder.join("page.pdf")).unwrap();
    assert!(pdf.starts_with(b"%PDF") && pdf.len() > 20_000, "{} bytes", pdf.len());
}

#[test]
fn what_cannot_be_reported_is_told() {
    let session = Session::new();
    let lines = [
        "report --config sparse2",
        "report --config tiny --board ulx3",
        "report --config tiny --m 0",
        "report --config small_riscv",
        "report --config tiny --types f16,f16,f32",
    ];
    let text: String = lines.iter().map(|line| session.transcript(line)).collect();
    insta::assert_snapshot!(text);
    assert!(session.names().is_empty());
}
