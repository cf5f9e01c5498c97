use crate::Session;

/// Scripts rely on these keys.
#[test]
fn keys_of_every_command() {
    let session = Session::new();
    session.write("a.mtx", "%%MatrixMarket matrix coordinate pattern general\n1 1 1\n1 1\n");
    session.write("load.toml", "[[gemm]]\nm = 32\nn = 32\nk = 32\n");
    let mut text = String::new();
    for line in [
        "new mine --json",
        "check tiny --json",
        "doctor --json",
        "regs --json",
        "regs --out regs.h --json",
        "completions bash --json",
        "gen --config tiny --out rtl --json",
        "boards --json",
        "boards show icebreaker --json",
        "export --config tiny --format ipxact --out ip --json",
        "sim --config tiny --list --json",
        "sim --config tiny --simulator interpreter --cycles 500 --json",
        "gemm --config tiny --simulator interpreter --m 2 --n 2 --k 2 --json",
        "gemm --config tiny --simulator interpreter --batch 3 --m 2 --n 2 --k 2 --json",
        "bench pe --only tree/lut --side 4 --m 5 --n 5 --k 9 --json",
        "report --config tiny --m 8 --n 8 --k 8 --json",
        "bench area --only int4-os --quick --json",
        "bench spgemm a.mtx --model --sweep banks=16 --csv sweep.csv --svg sweep.svg --json",
        "explore --board ulx3s_85f --workload load.toml --csv front.csv --svg front.svg --json",
        "spgemm a.mtx --simulator interpreter --json",
        "graph triangles a.mtx --simulator interpreter --json",
        "graph bfs a.mtx --simulator interpreter --json",
        "graph apsp a.mtx --simulator interpreter --json",
        "graph truss a.mtx --simulator interpreter --json",
    ] {
        text += &format!("{line}: {}\n", shape(&session.json(line)));
    }
    insta::assert_snapshot!(text);
}

/// The table of estimates beside measurements needs no tool.
#[test]
fn estimates_are_told_beside_measurements() {
    let text = String::from_utf8(Session::new().run("bench cost --json").stdout).unwrap();
    let rows: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let held_out = rows.iter().filter(|row| row["held_out"] == true);
    let errors: Vec<f64> = held_out.filter_map(|row| row["lut"]["error"].as_f64()).collect();
    assert!(errors.len() >= 3 && errors.iter().all(|error| error.abs() <= 0.10), "{errors:?}");
}

/// Keys at every level; of a list, those of its first element.
fn shape(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Object(object) => {
            let keys = object.iter().map(|(key, value)| match shape(value).as_str() {
                "" => key.clone(),
                inner => format!("{key}: {inner}"),
            });
            format!("{{{}}}", keys.collect::<Vec<_>>().join(", "))
        }
        serde_json::Value::Array(list) => match list.first().map(shape).as_deref() {
            None | Some("") => String::new(),
            Some(inner) => format!("[{inner}]"),
        },
        _ => String::new(),
    }
}

#[test]
fn quiet_prints_nothing_but_results() {
    let session = Session::new();
    assert!(session.run("check tiny -q").stdout.is_empty());
    assert!(session.run("new mine -q").stdout.is_empty());
    assert!(!session.run("regs -q").stdout.is_empty());
}
