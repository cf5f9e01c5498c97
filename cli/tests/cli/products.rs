//! Products on simulated cards, in the interpreter: no tool is needed.

use crate::Session;

const TINY: &str = "gemm --config tiny --simulator interpreter --json";

#[test]
fn dense_products_are_right_in_every_order() {
    let session = Session::new();
    for rest in [
        "--m 5 --n 7 --k 9",
        "--m 5 --n 7 --k 9 --order column",
        "--m 3 --n 2 --k 17 --order column,row,column --resident",
        "--m 1 --n 1 --k 1 --seed 9",
        "--m 4 --n 3 --k 0",
        "--m 0 --n 3 --k 2",
        "--m 0 --n 0 --k 0",
    ] {
        let report = session.json(&format!("{TINY} {rest}"));
        assert_eq!(report["mismatches"], 0, "{rest}: {report}");
        let dims = ["m", "n", "k"].map(|key| report[key].as_u64().unwrap());
        assert_eq!(report["macs"], dims.iter().product::<u64>());
        assert!((0.0..=1.0).contains(&report["utilization"].as_f64().unwrap()), "{report}");
    }
    // 7,680 bytes of matrices, where 16 address bits reach 64 KiB.
    let nano = "gemm --config nano --simulator interpreter --json --m 32 --n 32 --k 40";
    assert_eq!(session.json(nano)["mismatches"], 0);
}

/// One command on a card built with batches, as many as there are products on any other.
#[test]
fn many_products_in_one_call_are_right() {
    let session = Session::new();
    session.write(
        "batch.toml",
        "name = \"b\"\n[memory]\nbus_bytes = 16\n[gemm]\nrows = 4\ncols = 4\nk_split = 2\nbatch = true\n\
         tuples = [\"i8,i8,i32\", \"i8,i4,i32\"]\na_kib = 4\nb_kib = 4\nresult_kib = 4\n",
    );
    for (card, commands, rest) in [
        ("batch.toml", 1, "--m 3 --n 3 --k 3"),
        ("batch.toml", 1, "--m 3 --n 4 --k 5 --pointers"),
        ("batch.toml", 1, "--m 4 --n 3 --k 5 --order column --types i8,i4,i32"),
        ("batch.toml", 1, "--m 7 --n 9 --k 2 --order row,column,column --pointers"),
        ("batch.toml", 12, "--m 4 --n 4 --k 4000"),
        ("tiny", 12, "--m 3 --n 3 --k 3"),
    ] {
        let line = format!("gemm --config {card} --simulator interpreter --batch 12 {rest} --json");
        let report = session.json(&line);
        assert_eq!((&report["mismatches"], &report["commands"]), (&0.into(), &commands.into()));
        let dims = ["batch", "m", "n", "k"].map(|key| report[key].as_u64().unwrap());
        assert_eq!(report["macs"], dims.iter().product::<u64>(), "{line}");
        let [took, bound] = ["cycles_per_product", "bound_cycles_per_product"]
            .map(|key| report[key].as_f64().unwrap());
        assert!(took >= bound, "{report}");
    }
    let text = session.transcript(
        "gemm --config batch.toml --simulator interpreter --batch 30 --m 4 --n 4 --k 4",
    );
    insta::assert_snapshot!(text);
}

#[test]
fn a_seed_names_a_product() {
    let session = Session::new();
    let page = |line: &str| String::from_utf8(session.run(line).stdout).unwrap();
    let line = "gemm --config tiny --simulator interpreter --m 6 --n 5 --k 4";
    assert_eq!(page(line), page(line));
    insta::assert_snapshot!(page(line));
}

#[test]
fn dense_arguments_that_make_no_sense() {
    let session = Session::new();
    session.write("sparse.toml", "name = \"s\"\n[spgemm]\nlanes = 4\n");
    let lines = [
        "gemm --config tiny --m -3",
        "gemm --config tiny --m 99999999999999999999",
        "gemm --config tiny --m 4294967295 --k 4294967295",
        "gemm --config tiny --types i8,i8,f32",
        "gemm --config tiny --types i4,i4,i32",
        "gemm --config tiny --types i8",
        "gemm --config tiny --types i8,i9x,i32",
        "gemm --config tiny --acc i16",
        "gemm --config tiny --order row,column",
        "gemm --config tiny --order diagonal",
        "gemm --config tiny --simulator abacus",
        "gemm --config tiny --seed x",
        "gemm --config tiny --batch 0",
        "gemm --config tiny --batch -1",
        "gemm --config tiny --batch 10 --resident",
        "gemm --config tiny --pointers",
        "gemm --config tiny --batch 2 --m 0",
        "gemm --config tiny --batch 4294967295 --m 8 --n 8 --k 8",
        "gemm --config bench16 --batch 2 --types i8,i8,i8",
        "gemm --config sparse.toml",
        "gemm --config sparse4x4",
        "gemm --config nano --simulator interpreter --m 128 --n 128 --k 8",
    ];
    let text: String = lines.iter().map(|line| session.transcript(line)).collect();
    insta::assert_snapshot!(text);
}

#[test]
fn sparse_arguments_that_make_no_sense() {
    let session = Session::new();
    let header = "%%MatrixMarket matrix coordinate real general\n";
    session.write("wide.mtx", format!("{header}2 3 1\n1 1 1\n"));
    session.write("half.mtx", format!("{header}2 2 1\n1 1 0.5\n"));
    session.write("nan.mtx", format!("{header}2 2 1\n1 1 nan\n"));
    session.write("short.mtx", format!("{header}2 2 4\n1 1 1\n"));
    session.write("huge.mtx", format!("{header}99999999999 2 4\n1 1 1\n"));
    session.write("outside.mtx", format!("{header}2 2 1\n3 1 1\n"));
    session.write("empty.mtx", "");
    session.write("noise.mtx", [0xffu8, 0x00, 0x1f, 0x8b]);
    session.write("cut.mtx.gz", [0x1fu8, 0x8b, 8, 0, 0, 0]);
    session.write("min.toml", "name = \"m\"\n[spgemm]\nsemirings = [\"min-plus\", \"or-and\"]\n");
    session.write("big.mtx", format!("{header}2 2 1\n1 2 70000\n"));
    let lines = [
        "spgemm",
        "spgemm nowhere.mtx",
        "spgemm wide.mtx",
        "spgemm half.mtx --types i32",
        "spgemm half.mtx --types f23",
        "spgemm half.mtx --types i8",
        "spgemm half.mtx --types i8 --config min.toml",
        "spgemm big.mtx --types f16",
        "spgemm big.mtx --types i16",
        "spgemm nan.mtx",
        "spgemm short.mtx",
        "spgemm huge.mtx",
        "spgemm outside.mtx",
        "spgemm empty.mtx",
        "spgemm noise.mtx",
        "spgemm cut.mtx.gz",
        "spgemm half.mtx --format hdf5",
        "spgemm half.mtx --semiring min_plus",
        "spgemm half.mtx --semiring tropical",
        "spgemm half.mtx --mask wide.mtx",
        "spgemm half.mtx --mask nowhere.mtx",
        "spgemm half.mtx --mask-complement",
        "spgemm half.mtx --accumulate wide.mtx",
        "spgemm half.mtx --accumulate half.mtx --semiring plus-pair --types f32 --simulator interpreter",
        "spgemm half.mtx --types f32 --deterministic",
        "spgemm half.mtx --semiring plus-times --config min.toml",
        "spgemm half.mtx --config tiny",
        "spgemm half.mtx --card sim:small --config small",
    ];
    let text: String = lines.iter().map(|line| session.transcript(line)).collect();
    insta::assert_snapshot!(text);
    assert!(!session.names().iter().any(|name| name.starts_with("c.")));
}

#[test]
fn graphs_that_make_no_sense() {
    let session = Session::new();
    let header = "%%MatrixMarket matrix coordinate real general\n";
    session.write("wide.mtx", format!("{header}2 3 1\n1 1 1\n"));
    session.write("ring.mtx", format!("{header}2 2 2\n1 2 1\n2 1 -2\n"));
    session.write("half.mtx", format!("{header}2 2 1\n1 2 0.5\n"));
    session.write("nan.mtx", format!("{header}2 2 1\n1 2 nan\n"));
    session.write("long.mtx", format!("{header}2 2 1\n1 2 2000000000\n"));
    session.write("many.mtx", format!("{header}9000 9000 1\n1 2 1\n"));
    session.write("min.toml", "name = \"m\"\n[spgemm]\nsemirings = [\"min-plus\"]\n");
    let lines = [
        "graph",
        "graph colours ring.mtx",
        "graph triangles",
        "graph triangles nowhere.mtx",
        "graph triangles wide.mtx",
        "graph triangles ring.mtx --config tiny",
        "graph triangles ring.mtx --config min.toml",
        "graph bfs ring.mtx --source 2",
        "graph bfs ring.mtx --source -1",
        "graph truss ring.mtx --k 2",
        "graph apsp half.mtx --types i32",
        "graph apsp half.mtx --types i64",
        "graph apsp half.mtx --types f16",
        "graph apsp many.mtx",
        "graph apsp nan.mtx --simulator interpreter",
        "graph apsp long.mtx --types i32 --simulator interpreter",
        "graph apsp ring.mtx --simulator interpreter",
    ];
    let text: String = lines.iter().map(|line| session.transcript(line)).collect();
    insta::assert_snapshot!(text);
}

#[test]
fn graphs_are_right() {
    let session = Session::new();
    let header = "%%MatrixMarket matrix coordinate integer symmetric\n";
    // Two triangles that share an edge, and a vertex for itself.
    let edges = "2 1 1\n3 1 4\n3 2 2\n4 2 7\n4 3 1\n";
    session.write("g.mtx", format!("{header}5 5 5\n{edges}"));
    let run = |line: &str| {
        let report = session.json(&format!("graph {line} g.mtx --simulator interpreter --json"));
        assert_eq!(
            (&report["mismatches"], &report["vertices"]),
            (&0.into(), &5.into()),
            "{report}"
        );
        report
    };
    assert_eq!(run("triangles")["triangles"], 2);
    assert_eq!(run("truss --k 3")["edges_kept"], 5);
    assert_eq!(run("truss")["edges_kept"], 0);
    let bfs = run("bfs --source 3");
    assert_eq!((&bfs["reached"], &bfs["levels"]), (&4.into(), &3.into()));
    let apsp = run("apsp");
    assert_eq!((&apsp["pairs"], &apsp["longest"]), (&17.into(), &4.0.into()));
    assert_eq!(run("apsp --types f32")["longest"], 4.0);
}

#[test]
fn sparse_products_are_right_and_written() {
    let session = Session::new();
    let header = "%%MatrixMarket matrix coordinate real general\n";
    session.write("a.mtx", format!("{header}3 4 5\n1 1 0.5\n1 4 2\n2 2 -1\n3 1 1\n3 3 4\n"));
    session.write("e.mtx", format!("{header}3 4 0\n"));
    let line = "spgemm a.mtx --transpose-b --simulator interpreter";
    let report = session.json(&format!("{line} --output c.mtx --json"));
    assert_eq!((report["mismatches"].as_u64(), report["nnz_c"].as_u64()), (Some(0), Some(5)));
    let c = "3 3 5\n1 1 4.25e0\n1 3 5e-1\n2 2 1e0\n3 1 5e-1\n3 3 1.7e1\n";
    assert_eq!(session.read("c.mtx"), header.to_owned() + c);
    let report = session.json(&format!("{line} --semiring min-plus --output m.mtx --json"));
    assert_eq!(
        (report["mismatches"].as_u64(), report["semiring"].as_str()),
        (Some(0), Some("min-plus"))
    );
    let c = "3 3 5\n1 1 1e0\n1 3 1.5e0\n2 2 -2e0\n3 1 1.5e0\n3 3 2e0\n";
    assert_eq!(session.read("m.mtx"), header.to_owned() + c);
    let graph = "spgemm rmat:scale=5,edges=3,seed=1 rmat:scale=5,edges=3,seed=2,a=0.4";
    let report = session.json(&format!("{graph} --simulator interpreter --json"));
    let seen = (report["mismatches"].as_u64(), report["rows"].as_u64(), report["types"].as_str());
    assert_eq!(seen, (Some(0), Some(32), Some("i32")), "{report}");
    // C has (1, 1), (1, 3), (2, 2), (3, 1), (3, 3); the mask (1, 3), a zero at (2, 2), and (3, 2).
    session.write("k.mtx", format!("{header}3 3 3\n1 3 1\n2 2 0\n3 2 5\n"));
    for (flags, kept) in [
        ("", 2),
        ("--mask-complement", 3),
        ("--mask-by-value", 1),
        ("--mask-complement --mask-by-value --semiring min-plus --types f32", 4),
    ] {
        let report = session.json(&format!("{line} --mask k.mtx {flags} --json"));
        let seen = (report["mismatches"].as_u64(), report["nnz_c"].as_u64());
        assert_eq!(seen, (Some(0), Some(kept)), "{flags}: {report}");
    }
    // The same of a card that does it itself, on the host, and sums onto a matrix.
    session.write(
        "joins.toml",
        "name = \"j\"\n[spgemm]\njoins = [\"mask\", \"accumulate\", \"prune\"]\n",
    );
    for (flags, kept) in [
        ("--mask k.mtx", 2),
        ("--mask k.mtx --mask-complement --accumulate k.mtx", 3),
        ("--accumulate k.mtx", 6),
        ("--accumulate k.mtx --prune --values random --types i32", 6),
        ("--mask k.mtx --mask-by-value --accumulate k.mtx --prune --semiring max-plus", 2),
    ] {
        for config in ["", "--config joins.toml"] {
            let report = session.json(&format!("{line} {flags} {config} --json"));
            let seen = (report["mismatches"].as_u64(), report["nnz_c"].as_u64());
            assert_eq!(seen, (Some(0), Some(kept)), "{flags} {config}: {report}");
        }
    }
    // Sums in order: every bit is compared. Integers need no card that knows of it.
    session.write("order.toml", "name = \"o\"\n[spgemm]\ndeterminism = [\"ordered\"]\n");
    for flags in ["", "--accumulate k.mtx --prune", "--mask k.mtx", "--semiring max-plus"] {
        let asked = "--config order.toml --types f32 --values random --deterministic";
        let report = session.json(&format!("{line} {flags} {asked} --json"));
        assert_eq!((&report["mismatches"], &report["deterministic"]), (&0.into(), &true.into()));
    }
    let report = session.json(&format!("{line} --types i32 --values ones --deterministic --json"));
    assert_eq!((&report["mismatches"], &report["hazard_stalls"]), (&0.into(), &0.into()));
    for rest in ["--values random", "--values ones --types i32", "--values random --types i32"] {
        let report = session.json(&format!("{line} {rest} --json"));
        assert_eq!(report["mismatches"], 0, "{rest}: {report}");
    }
    let words = session.json(&format!("{line} --values random --types f32 --json"));
    for types in ["i8", "i16", "f16", "bf16"] {
        let rest = format!("--values random --types {types} --semiring plus-times");
        let report = session.json(&format!("{line} {rest} --json"));
        assert_eq!((&report["mismatches"], &report["types"]), (&0.into(), &types.into()));
        assert!(report["dram_bytes"].as_u64() <= words["dram_bytes"].as_u64(), "{report}");
    }
    // What becomes of 0.5 * 0.5 + 2 * 2 in halves is written as it is.
    let report = session.json(&format!("{line} --types f16 --output h.mtx --json"));
    assert_eq!(report["mismatches"], 0, "{report}");
    assert!(session.read("h.mtx").contains("\n1 1 4.25e0\n"));
    let empty = "spgemm e.mtx a.mtx --transpose-a --simulator interpreter --json";
    let report = session.json(empty);
    assert_eq!((report["mismatches"].as_u64(), report["nnz_c"].as_u64()), (Some(0), Some(0)));
}

#[test]
fn a_card_answers_for_itself() {
    let session = Session::new();
    let line = "sim --config tiny --simulator interpreter --cycles 3000 --trace tiny.fst --json";
    let report = session.json(line);
    assert_eq!(report["mismatches"], 0, "{report}");
    assert!(report["cycles"].as_u64().unwrap() >= 3000);
    // One sample before and one after each edge.
    let waves = wellen::simple::read(session.path().join("tiny.fst")).unwrap();
    assert!(waves.time_table().len() > 6000, "{}", waves.time_table().len());
    let modules = session.json("sim --config tiny --list --json");
    let modules = modules["modules"].as_array().unwrap();
    let cells = modules.iter().filter(|m| m["name"].as_str().unwrap().starts_with("int_mac"));
    assert_eq!(cells.map(|m| m["instances"].as_u64().unwrap()).sum::<u64>(), 8);
    let refused = session.run("sim --config tiny --simulator interpreter --trace no/such/x.fst");
    assert_eq!(refused.status.code(), Some(1));
}

const SMALL: &str = "--config small --simulator interpreter --json";

#[test]
fn sparse_operations_are_right() {
    let session = Session::new();
    let head = "%%MatrixMarket matrix coordinate real general\n";
    session.write("a.mtx", format!("{head}3 4 5\n1 1 2\n1 3 -1\n3 1 4\n3 2 5\n3 4 0\n"));
    session.write("b.mtx", format!("{head}3 4 4\n1 1 7\n2 2 3\n3 2 -2\n3 3 1\n"));
    for (line, results, madds) in [
        ("add a.mtx b.mtx --alpha 2 --beta -3", 7, 9),
        ("add a.mtx b.mtx --types i32", 7, 9),
        ("multiply a.mtx b.mtx", 2, 2),
        ("multiply a.mtx a.mtx --types i32", 5, 5),
        ("spmm a.mtx --cols 3", 9, 15),
        ("spmm a.mtx --cols 3 --types i32", 9, 15),
        ("spmv a.mtx", 3, 5),
        ("spmspv a.mtx --entries 4", 2, 5),
        ("spmspv a.mtx --entries 0 --types i32", 0, 0),
        ("sddmm a.mtx --inner 6", 5, 30),
        ("sddmm a.mtx --inner 6 --types f32", 5, 30),
        ("sddmm a.mtx --inner 0", 5, 0),
    ] {
        let report = session.json(&format!("sparse {line} {SMALL}"));
        let seen = ["mismatches", "results", "madds"].map(|key| report[key].as_u64().unwrap());
        assert_eq!(seen, [0, results, madds], "{line}: {report}");
    }
    session.write("square.mtx", format!("{head}2 2 3\n1 1 2\n1 2 -1\n2 1 4\n"));
    let report = session.json(&format!("sparse symbolic square.mtx {SMALL}"));
    assert_eq!((report["mismatches"].as_u64(), report["results"].as_u64()), (Some(0), Some(4)));
}

#[test]
fn sparse_operations_that_make_no_sense() {
    let session = Session::new();
    let head = "%%MatrixMarket matrix coordinate real general\n";
    session.write("a.mtx", format!("{head}3 4 1\n1 1 2\n"));
    session.write("half.mtx", format!("{head}4 3 1\n1 1 0.5\n"));
    let lines = [
        "sparse add a.mtx half.mtx --simulator interpreter",
        "sparse multiply a.mtx half.mtx --simulator interpreter",
        "sparse symbolic a.mtx --simulator interpreter",
        "sparse spmspv a.mtx --entries 5 --simulator interpreter",
        "sparse spmm half.mtx --types i32",
        "sparse spmm a.mtx --types i8",
        "sparse spmm a.mtx --cols 0",
        "sparse spmv a.mtx --config bench16",
        "sparse spmv rmat:scale=4,edges=2",
        "sparse spmv rmat:scale=20,edges=2,seed=1 --max-dim 1000",
        "spgemm rmat:scale=4,edges=2,seed=1,a=0.7",
    ];
    let text: String = lines.iter().map(|line| session.transcript(line)).collect();
    insta::assert_snapshot!(text);
}
