//! Values through ports of every storage class, and the checks on the way.

mod common;

use common::with_each;
use verilator_rs::{Build, Direction, Port};

const WIDTHS: [u32; 16] = [1, 2, 7, 8, 9, 16, 17, 31, 32, 33, 63, 64, 65, 96, 128, 512];

/// `q_w` is the complement of `d_w` one clock later; `xor` folds every input, combinationally.
fn echo() -> Build {
    let mut ports = vec![Port::input("clk", 1), Port::output("all", 1)];
    let mut body = String::new();
    let mut folds = Vec::new();
    for w in WIDTHS {
        ports.push(Port::input(format!("d_{w}"), w));
        ports.push(Port::output(format!("q__{w}"), w));
        body += &format!("  always @(posedge clk) q__{w} <= ~d_{w};\n");
        folds.push(format!("^d_{w}"));
    }
    let list: Vec<String> = ports
        .iter()
        .map(|p| match p.direction {
            Direction::Output if p.width > 1 || p.name != "all" => {
                format!("output reg [{}:0] {}", p.width - 1, p.name)
            }
            _ => p.to_string(),
        })
        .collect();
    let text = format!(
        "module echo({});\n  assign all = {};\n{body}endmodule\n",
        list.join(", "),
        folds.join(" ^ ")
    );
    Build { ports, ..Build::new("echo", text) }
}

/// A small generator of well-mixed words (xorshift64).
fn random(state: &mut u64) -> u32 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    (*state >> 16) as u32
}

fn random_words(width: u32, state: &mut u64) -> Vec<u32> {
    let mut words: Vec<u32> = (0..width.div_ceil(32)).map(|_| random(state)).collect();
    mask(width, &mut words);
    words
}

fn mask(width: u32, words: &mut [u32]) {
    if let Some(last) = words.last_mut().filter(|_| !width.is_multiple_of(32)) {
        *last &= (1 << (width % 32)) - 1;
    }
}

#[test]
fn every_width_carries_its_bits() {
    with_each(&echo(), |library| {
        let mut model = library.instance().unwrap();
        let clk = model.port("clk").unwrap();
        let all = model.port("all").unwrap();
        let mut state = 0x9e37_79b9_7f4a_7c15;
        for _ in 0..50 {
            let mut parity = 0;
            let mut sent = Vec::new();
            for w in WIDTHS {
                let words = random_words(w, &mut state);
                parity ^= words.iter().map(|word| word.count_ones()).sum::<u32>() & 1;
                model.set_words(model.port(&format!("d_{w}")).unwrap(), &words).unwrap();
                sent.push(words);
            }
            for level in [0, 1] {
                model.set_u64(clk, level).unwrap();
                model.eval();
            }
            assert_eq!(model.get_u64(all).unwrap(), u64::from(parity));
            for (w, words) in WIDTHS.into_iter().zip(&sent) {
                let q = model.port(&format!("q__{w}")).unwrap();
                let mut expected: Vec<u32> = words.iter().map(|word| !word).collect();
                mask(w, &mut expected);
                let mut got = vec![0; expected.len()];
                model.get_words(q, &mut got).unwrap();
                assert_eq!(got, expected, "width {w}");
                if w <= 64 {
                    let value = expected.iter().rev().fold(0, |v, &x| v << 32 | u64::from(x));
                    assert_eq!(model.get_u64(q).unwrap(), value);
                    let signed = ((i128::from(value) << (128 - w)) >> (128 - w)) as i64;
                    assert_eq!(model.get_i64(q).unwrap(), signed, "width {w}");
                }
            }
        }
    });
}

#[test]
fn signed_values_round_trip_and_are_bounded() {
    with_each(&echo(), |library| {
        let mut model = library.instance().unwrap();
        let clk = model.port("clk").unwrap();
        for (w, low, high) in
            [(1, -1, 0), (9, -256, 255), (33, -(1 << 32), (1 << 32) - 1), (64, i64::MIN, i64::MAX)]
        {
            let (d, q) =
                (model.port(&format!("d_{w}")).unwrap(), model.port(&format!("q__{w}")).unwrap());
            for value in [low, -1, 0, high] {
                model.set_i64(d, value).unwrap();
                for level in [0, 1] {
                    model.set_u64(clk, level).unwrap();
                    model.eval();
                }
                assert_eq!(model.get_i64(q).unwrap(), !value, "width {w}");
            }
            if w < 64 {
                assert!(model.set_i64(d, high + 1).is_err());
                assert!(model.set_i64(d, low - 1).is_err());
            }
        }
    });
}

#[test]
fn wrong_accesses_are_errors() {
    with_each(&echo(), |library| {
        let other = echo().build(&common::toolchains()[0], common::cache()).unwrap();
        let mut model = library.instance().unwrap();
        let port = |name: &str| library.port(name).unwrap();
        let errors = [
            library.port("nothing").map(|_| ()),
            model.set_u64(port("d_7"), 0x80),
            model.set_i64(port("d_8"), 128),
            model.set_u64(port("d_65"), 1),
            model.set_i64(port("d_65"), 1),
            model.get_u64(port("q__128")).map(|_| ()),
            model.set_u64(port("q__8"), 1),
            model.set_words(port("d_65"), &[0, 0]),
            model.set_words(port("d_65"), &[0, 0, 2]),
            model.set_words(port("d_33"), &[0, 2]),
            model.get_words(port("q__512"), &mut [0; 15]),
            model.set_u64(other.port("d_8").unwrap(), 1),
        ];
        let text: Vec<String> = errors.map(|error| error.unwrap_err().to_string()).into();
        insta::assert_snapshot!("wrong_accesses", text.join("\n"));
    });
}

#[test]
fn ports_are_checked_before_compiling() {
    for tools in common::toolchains() {
        let fresh = tempfile::tempdir().unwrap();
        let errors: Vec<String> =
            [Port::output("all", 2), Port::output("clk", 1), Port::input("reset", 1)]
                .into_iter()
                .map(|port| Build { ports: vec![port], ..echo() })
                .map(|build| build.build(&tools, fresh.path()).unwrap_err().to_string())
                .collect();
        insta::assert_snapshot!("declared_ports", errors.join("\n"));
    }
}

#[test]
fn instances_and_models_do_not_share_state() {
    let counter = |step: u32| {
        let text = format!(
            "module counter(input clk, output reg [31:0] n);
               initial n = 0;
               always @(posedge clk) n <= n + {step};
             endmodule"
        );
        Build::new("counter", text)
    };
    let mut running = Vec::new();
    for tools in common::toolchains() {
        for step in [1, 3] {
            let library = counter(step).build(&tools, common::cache()).unwrap();
            for clocks in [5, 7] {
                running.push((library.instance().unwrap(), step, clocks, 0));
            }
        }
    }
    for round in 0..7 {
        for (model, step, clocks, expected) in &mut running {
            let (clk, n) = (model.port("clk").unwrap(), model.port("n").unwrap());
            if round < *clocks {
                for level in [0, 1] {
                    model.set_u64(clk, level).unwrap();
                    model.eval();
                }
                *expected += u64::from(*step);
            }
            assert_eq!(model.get_u64(n).unwrap(), *expected);
        }
    }
}

#[test]
fn threads_have_models_of_their_own() {
    let text = "module adder(input [63:0] a, output [63:0] y); assign y = a + 64'd1; endmodule";
    for tools in common::toolchains() {
        std::thread::scope(|scope| {
            for seed in 0..4_u64 {
                let tools = &tools;
                scope.spawn(move || {
                    // Loading and dropping in the thread also unmaps in the thread.
                    let library = Build::new("adder", text).build(tools, common::cache()).unwrap();
                    for round in 0..50 {
                        let mut model = library.instance().unwrap();
                        let (a, y) = (model.port("a").unwrap(), model.port("y").unwrap());
                        for i in 0..100 {
                            let value = seed << 40 | round << 20 | i;
                            model.set_u64(a, value).unwrap();
                            model.eval();
                            assert_eq!(model.get_u64(y).unwrap(), value + 1);
                        }
                    }
                });
            }
        });
    }
}
