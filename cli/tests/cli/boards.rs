use crate::Session;

#[test]
fn the_boards() {
    let session = Session::new();
    let text: String = ["boards", "boards show ulx3s_85f", "boards show alveo_u50"]
        .iter()
        .map(|line| session.transcript(line))
        .collect();
    insta::assert_snapshot!(text);
    let list = session.json("boards list --json");
    let boards = list["boards"].as_array().unwrap();
    assert_eq!(boards.iter().filter(|board| board["bitstream"] == true).count(), 9);
    let names = |board: &serde_json::Value| board["id"].as_str().unwrap().to_owned();
    for id in boards.iter().map(names) {
        assert_eq!(session.json(&format!("boards show {id} --json"))["id"], id);
    }
}

/// Everything wrong that can be told before a tool runs.
#[test]
fn builds_that_cannot_be() {
    let session = Session::new();
    session.write("x.bit", "");
    let lines = [
        "synth --config tiny",
        "synth --config tiny --board ulx3",
        "synth --config tiny --board kc705 -q",
        "synth --config tiny --board certuspro_nx_versa -q",
        "synth --config tinny --board ulx3s_85f",
        "synth --config tiny --board ulx3s_85f --clock 5000",
        "synth --config tiny --board ulx3s_85f --clock fast",
        "boards show ulx3",
        "program --board ulx3s_85f",
        "program --board ulx3s_85f --config tiny",
        "program --board ulx3s_85f nothing.bit",
        "program --board alveo_u50 x.bit",
        "export --config tiny --format vivado --out v",
        "export --config tiny --format vivado --board ulx3s_85f --out v",
        "export --config tiny --format zip --out v",
    ];
    let text: String = lines.iter().map(|line| session.transcript(line)).collect();
    insta::assert_snapshot!(text);
    assert_eq!(session.names(), ["x.bit"]);
}

#[test]
fn packages_are_written_whole() {
    let session = Session::new();
    for (format, files) in [
        ("fusesoc", &["small.core"][..]),
        ("ipxact", &["small.xml"]),
        ("vivado-ip", &["package_ip.tcl"]),
        (
            "vivado --board acorn_cle215p",
            &["build.tcl", "board.xdc", "package_ip.tcl", "program.tcl"],
        ),
    ] {
        let report =
            session.json(&format!("export --config small --format {format} --out out --json"));
        let listed = report["files"].as_array().unwrap().len();
        let folder = session.path().join("out");
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), listed, "{format}");
        for file in files.iter().chain(&["small_card.v"]) {
            assert!(folder.join(file).is_file(), "{format}: {file}");
        }
    }
    session.write("out/mine.txt", "");
    assert_eq!(
        session.run("export --config small --format ipxact --out out").status.code(),
        Some(1)
    );
    assert!(session.path().join("out/mine.txt").is_file());
}

/// A machine without openFPGALoader still learns what to type.
#[test]
fn programming_says_the_command() {
    let session = Session::new();
    session.write("x.bit", "");
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_mattock"))
        .args(["program", "--board", "ulx3s_85f", "x.bit"])
        .current_dir(session.path())
        .env("PATH", session.path())
        .env("MATTOCK_TOOLS", session.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("openFPGALoader --board ulx3s x.bit"), "{said}");
    assert!(said.contains("apt-get install openfpgaloader"), "{said}");
}

#[test]
fn a_card_too_large_is_refused_with_what_overflows() {
    let session = Session::new();
    let failure = session.json("synth --config bench16 --board icebreaker -q --json");
    let error = failure["error"].as_str().unwrap();
    assert!(error.contains("s and icebreaker has "), "{error}");
    assert!(failure["next"].as_str().unwrap().contains("fit"), "{failure}");
    assert!(session.names().is_empty());
}
