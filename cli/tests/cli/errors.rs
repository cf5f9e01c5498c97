use crate::Session;

/// Everything wrong that can be told without a simulation.
#[test]
fn wrong_words() {
    let session = Session::new();
    let lines = [
        "chek",
        "check --jsn",
        "new",
        "regs --format x",
        "check --config smal",
        "check nowhere/card.toml",
        "check small --config tiny",
        "check --card sim:small --config tiny",
        "check --card simm:small",
        "check --card sim:",
        "check --card pci:0000:03:00.0",
        "check --card",
        "gemm --card pci:0000:99:00.0",
        "gemm --config small_riscv --simulator interpreter --m 1 --n 1 --k 1",
        "gemm --card vfio-user:nowhere.sock",
        "gemm --card vfio-user:",
        "bind 3.0",
        "unbind 0000:99:00.0",
        "doctor pci 0000:99:00.0",
        "new 9lives",
        "new mine --from smal",
        "completions tcsh",
        "doctor --for fun",
        "bench pe --only rws",
        "bench pe --only systolic/lut",
        "bench pe --types i8,i4,i32",
        "bench pe --side 5",
        "bench pe --m 0",
        "bench pe --k 4294967295",
        "bench area --only int8-8x9",
        "bench area --seeds 0",
        "bench spgemm",
        "bench spgemm nowhere.mtx --model",
        "bench spgemm a.mtx --model --sweep bank=8",
        "bench spgemm a.mtx --model --sweep banks",
        "bench spgemm a.mtx --model --sweep banks=8,none",
        "bench spgemm a.mtx --model --sweep banks=12",
        "bench spgemm a.mtx --model --sweep banks=4",
        "bench spgemm a.mtx --model --config bench16",
        "bench spgemm a.mtx --model --svg a.svg",
        "explore --board ulx3 --workload small.toml",
        "explore --board ulx3s_85f --workload nowhere.toml",
        "explore --board ulx3s_85f --workload empty.toml",
        "explore --board ulx3s_85f --workload sparse.toml",
        "explore --board ulx3s_85f --workload types.toml",
        "explore --board ulx3s_85f --workload zero.toml",
        "explore --board icebreaker --workload huge.toml",
    ];
    for (name, text) in [
        ("empty.toml", ""),
        ("sparse.toml", "[[spgemm]]\nmatrix = \"a.mtx\"\n"),
        ("huge.toml", "[[gemm]]\nm = 1000000\nn = 1000\nk = 1000\n"),
        ("types.toml", "[[gemm]]\nm = 8\nn = 8\nk = 8\ntypes = \"f32,f32,f32\"\n"),
        ("zero.toml", "[[gemm]]\nm = 8\nn = 0\nk = 8\n"),
        ("small.toml", "[[gemm]]\nm = 8\nn = 8\nk = 8\n"),
    ] {
        session.write(name, text);
    }
    let text: String = lines.iter().map(|line| session.transcript(line)).collect();
    insta::assert_snapshot!(text);
    assert!(session.names().iter().all(|name| name.ends_with(".toml")));
}

#[test]
fn a_configuration_error_points_into_the_file() {
    let session = Session::new();
    session
        .write("a.toml", "name = \"a\"\n\n[gemm]\nrows = 0\ncols = 4\ntuples = [\"i8,i8,i32\"]\n");
    session
        .write("b.toml", "name = \"b\"\n[gemm]\nrows = 4\ncolls = 4\ntuples = [\"i8,i8,i32\"]\n");
    session.write("c.toml", "name = \"c\"\n[gemm]\nrows = 4\ncols = 4\ntuples = [\"i8,i8,i33\"]\n");
    session.write("d.toml", "name = \"d\n");
    session.write("e.toml", b"\xff\xfe");
    session.write("f.toml", "");
    let text: String = ["a", "b", "c", "d", "e", "f"]
        .iter()
        .flat_map(|name| [format!("check {name}.toml"), format!("check {name}.toml --json")])
        .map(|line| session.transcript(&line))
        .collect();
    insta::assert_snapshot!(text);
}

#[test]
fn files_that_are_no_configuration() {
    let session = Session::new();
    std::fs::create_dir(session.path().join("folder")).unwrap();
    assert_eq!(session.run("check folder").status.code(), Some(1));
    // Never ends, and never fits.
    let endless = session.run("check /dev/zero");
    assert_eq!(endless.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&endless.stderr).contains("more than 1048576 bytes"));
}

#[test]
fn with_json_an_error_is_one_object_too() {
    let session = Session::new();
    for line in ["chek --json", "check nothing --json", "check --card x:y --json"] {
        let object = session.json(line);
        let keys: Vec<&str> = object.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(keys, ["error", "key", "value", "allowed", "next", "line", "column"], "{line}");
        assert!(session.run(line).stderr.is_empty());
    }
}
