//! A card served by one process and driven by others.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::Session;

/// `mattock serve`, once it says that clients may come.
struct Server(Child);

impl Server {
    fn start(session: &Session, words: &str) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_mattock"))
            .args(format!("serve --simulator interpreter --json {words}").split_whitespace())
            .current_dir(session.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let report: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(report["card"], "vfio-user:card.sock");
        Server(child)
    }

    /// Clock ticks of processor time so far.
    fn ticks(&self) -> u64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.0.id())).unwrap();
        let fields = stat.rsplit(')').next().unwrap().split_whitespace();
        fields.skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap()).sum()
    }

    /// Waits for its end; whether it was a good one.
    fn ends(&mut self) -> bool {
        let end = Instant::now() + Duration::from_secs(30);
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status.success();
            }
            assert!(Instant::now() < end, "the server does not end");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_same_commands_on_a_served_card() {
    let session = Session::new();
    session.write(
        "a.mtx",
        "%%MatrixMarket matrix coordinate integer general\n2 2 3\n1 1 5\n1 2 -3\n2 2 7\n",
    );
    let mut server = Server::start(&session, "--config small --socket card.sock");
    let card = "--card vfio-user:card.sock --json";
    let test = session.json(&format!("selftest {card}"));
    assert_eq!(
        (&test["ok"], test["checks"].as_array().unwrap().len()),
        (&true.into(), 9),
        "{test}"
    );
    let same = |line: &str, keys: &[&str]| {
        let (served, here) = (
            session.json(&format!("{line} {card}")),
            session.json(&format!("{line} --card sim:small --simulator interpreter --json")),
        );
        assert_eq!(served["simulator"], "vfio-user");
        for key in keys {
            assert_eq!(served[key], here[key], "{line}: {key}");
        }
    };
    let dense =
        ["cycles", "macs", "compute_cycles", "peak_macs_per_cycle", "dram_bytes", "mismatches"];
    same("gemm --m 9 --n 10 --k 11", &dense);
    same("spgemm a.mtx", &["cycles", "nnz_c", "lanes", "clusters", "mismatches"]);
    // A card that nobody uses uses nothing.
    let before = server.ticks();
    std::thread::sleep(Duration::from_millis(500));
    assert!(server.ticks() <= before + 1, "an idle card is busy");
    assert!(session.run("serve --config tiny --socket card.sock").status.code() == Some(1));
    let pid = rustix::process::Pid::from_child(&server.0);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert!(server.ends());
    assert_eq!(session.names(), ["a.mtx"], "the socket is gone");
}

#[test]
fn waveforms_of_a_served_card_are_whole() {
    let session = Session::new();
    let mut server =
        Server::start(&session, "--config small --socket card.sock --once --trace waves.fst");
    let report = session.json("gemm --card vfio-user:card.sock --m 2 --n 2 --k 2 --json");
    assert_eq!(report["mismatches"], 0);
    assert!(server.ends());
    let waves = wellen::simple::read(session.path().join("waves.fst")).unwrap();
    assert!(waves.time_table().len() > 100);
}
