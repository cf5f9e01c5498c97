//! A*A of a matrix file on one sparse cluster in Verilator, without the card around it:
//! `cargo run --release -p mattock-hw --example cluster -- MATRIX [CONFIG|TOML [interpreter]]`. For finding out where cycles go.

use mattock::sparse::Csr;
use mattock_hw::spgemm::Cluster;
use mattock_spec::config::CardConfig;
use mattock_testbench::reference;
use mattock_testbench::sim::{AxiMemory, MemoryOptions, Verilated};
use rtl_gen::Design;
use rtl_gen::sim::{Interpreter, Simulator};
use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let file = args.next().ok_or("which matrix?")?;
    let name = args.next().unwrap_or("sparse4".into());
    let card = match std::fs::read_to_string(&name) {
        Ok(text) => CardConfig::from_toml(&text)?,
        Err(_) => CardConfig::reference(&name)?,
    };
    let cluster = Cluster::of(&card).ok_or("this card has no sparse engine")?;
    let a = mattock::io::read_matrix(Path::new(&file), &Default::default())?
        .matrix
        .map(|v| (*v as i32 % 97) | 1);
    let want = reference::spgemm(&a, &a)?;
    let products: u64 = a.col_idx().iter().map(|k| a.row_nnz(*k as usize) as u64).sum();

    let design = Design::elaborate(&cluster)?;
    let mut sim: Box<dyn Simulator> = if args.next().is_some() {
        Box::new(Interpreter::new(&design)?)
    } else {
        let tools = verilator_rs::Toolchain::find()?;
        Box::new(Verilated::new(&design, &tools, Path::new("target/verilated"))?)
    };
    let sim = &mut *sim;
    let bytes = (8 * want.nnz() + 8 * a.nnz() + 8 * a.rows() + 4096).next_multiple_of(4096);
    let mut memory =
        AxiMemory::new(sim, &["m_axi_"], &MemoryOptions { bytes, ..Default::default() });
    let pin = |sim: &dyn Simulator, name: &str| sim.port(name);
    let set = |sim: &mut dyn Simulator, name: &str, value: u64| {
        let port = pin(sim, name);
        sim.set(port, value);
    };
    for name in ["flush", "start"] {
        set(sim, name, 0);
    }
    set(sim, "rst", 1);
    sim.tick();
    set(sim, "rst", 0);
    let mut at = memory.addresses().start;
    let mut place = |words: &[u32]| {
        let address = at;
        let bytes: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
        memory.bytes_mut(address, bytes.len()).expect("room").copy_from_slice(&bytes);
        at += (bytes.len() as u64).next_multiple_of(64);
        address
    };
    let ptr: Vec<u32> = a.row_ptr().iter().map(|p| *p as u32).collect();
    let val: Vec<u32> = a.values().iter().map(|v| *v as u32).collect();
    let (p, c, v) = (place(&ptr), place(a.col_idx()), place(&val));
    let (cp, cc, cv) =
        (place(&vec![0; a.rows() + 1]), place(&vec![0; want.nnz()]), place(&vec![0; want.nnz()]));
    for (name, value) in [
        ("a_ptr", p),
        ("a_col", c),
        ("a_val", v),
        ("b_ptr", p),
        ("b_col", c),
        ("b_val", v),
        ("c_ptr", cp),
        ("c_col", cc),
        ("c_val", cv),
        ("mode_value", 0),
        ("mode_semiring", 0),
        ("rows", a.rows() as u64),
        ("inner", a.rows() as u64),
        ("cols", a.cols() as u64),
        ("seed", 1),
        ("nnz_a", a.nnz() as u64),
        ("nnz_b", a.nnz() as u64),
        ("c_capacity", want.nnz() as u64),
    ] {
        set(sim, name, value);
    }
    let lanes = cluster.config.lanes;
    let (idle, done) = (sim.port("idle"), sim.port("done"));
    while sim.get(idle) == 0 {
        memory.step(sim)?;
    }
    set(sim, "start", 1);
    memory.step(sim)?;
    set(sim, "start", 0);
    let (mut cycles, begun) = (0u64, std::time::Instant::now());
    let names = ["sends", "core", "window", "data", "task", "drain", "stop"];
    let watch = names.map(|name| sim.port(&format!("watch_{name}")));
    let (mut seen, mut first, mut last) = ([0u64; 7], 0, 0);
    let mut nothing = [0u64; 2];
    while sim.get(done) == 0 {
        memory.step(sim)?;
        cycles += 1;
        let now = watch.map(|port| sim.get(port).count_ones() as u64);
        if now[0] > 0 {
            (first, last) = (if first == 0 { cycles } else { first }, cycles);
        }
        // Lanes without work: while the planner offers tasks, or not.
        nothing[now[4] as usize] += lanes as u64 - now[..4].iter().sum::<u64>();
        seen.iter_mut().zip(now).for_each(|(sum, n)| *sum += n);
        if let Some(failure) = sim.failure() {
            return Err(format!("{failure:?}").into());
        }
        if cycles > 100_000 + 10 * products {
            return Err("the cluster hangs".into());
        }
    }
    let seconds = begun.elapsed().as_secs_f64();
    let words = |address: u64, n: usize| -> Vec<u32> {
        let bytes = memory.bytes(address, 4 * n).expect("mapped");
        bytes.chunks(4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
    };
    let get = |sim: &mut dyn Simulator, name: &str| {
        let port = sim.port(name);
        sim.get(port)
    };
    let nnz = get(sim, "nnz_c") as usize;
    let error = get(sim, "error");
    let got = Csr::new(
        a.rows(),
        a.cols(),
        words(cp, a.rows() + 1).into_iter().map(u64::from).collect(),
        words(cc, nnz.min(want.nnz())),
        words(cv, nnz.min(want.nnz())).into_iter().map(|w| w as i32).collect(),
    )?;
    let mismatches = reference::compare_exact(&want, &got).mismatches();
    let lanes = lanes as f64;
    let counts = memory.counts(0);
    print!(
        "{file}: error {error}, mismatches {mismatches}, products {products}, cycles {cycles}, "
    );
    print!("utilisation {:.3}, ", products as f64 / lanes / cycles as f64);
    print!("bus busy {:.3}, ", (counts.read_beats + counts.write_beats) as f64 / cycles as f64);
    for name in
        ["products", "windows", "spills", "restarts", "hazard_stalls", "cache_hits", "cache_misses"]
    {
        print!("{name} {}, ", get(sim, name));
    }
    println!("{:.0} kcycles/s", cycles as f64 / seconds / 1e3);
    let share = |n: u64| 100.0 * n as f64 / lanes / cycles as f64;
    print!("  % of lane cycles: ");
    for (name, n) in names.iter().zip(&seen[..4]) {
        print!("{name} {:.1}, ", share(*n));
    }
    print!("no task {:.1}, task waits {:.1}; ", share(nothing[0]), share(nothing[1]));
    for (name, n) in names.iter().zip(seen).skip(4) {
        print!("{name} {:.1} %, ", 100.0 * n as f64 / cycles as f64);
    }
    println!("first product in cycle {first}, tail {}", cycles - last);
    Ok(())
}
