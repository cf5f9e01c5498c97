//! The calls of the driver on simulated cards: the rules of BLAS, buffers, events, batches, sparse phases.

use mattock::dense::Strided;
use mattock::element::I4;
use mattock::sparse::{Semiring, SpgemmOptions};
use mattock::{
    Context, ContextOptions, Csr, Device, DmaBuf, DynView, Error, GemmOptions, GemmStats, Order,
    View, ViewMut,
};
use mattock_spec::{CardConfig, Format, Rounding};
use mattock_testbench::reference::{compare_exact, spgemm, spgemm_over};
use mattock_testbench::sim::{SimOptions, SimulatorKind, open_device};
use rand::{Rng, SeedableRng, rngs::StdRng};
use std::time::Duration;

const PLAIN: GemmOptions =
    GemmOptions { resident: false, chunked: false, rounding: Rounding::Rne, saturate: false };
const CHUNKED: GemmOptions = GemmOptions { chunked: true, ..PLAIN };

/// The smallest array with memory of a host.
fn tiny_with(options: ContextOptions) -> Context {
    let config = CardConfig::reference("tiny").unwrap().on_axi();
    let simulation = SimOptions::new(SimulatorKind::Interpreter, "unused");
    open_device(&config, &simulation).unwrap().context(options).unwrap()
}

fn context(url: &str, options: ContextOptions) -> Context {
    mattock_testbench::sim::register(concat!(env!("CARGO_TARGET_TMPDIR"), "/verilated"));
    let device = Device::open(url).unwrap_or_else(|e| panic!("{e}"));
    device.context(options).unwrap()
}

fn tiny() -> Context {
    tiny_with(ContextOptions::default())
}

fn sparse(memory: &str, options: ContextOptions) -> Context {
    context(&format!("sim:small?simulator=interpreter&memory={memory}"), options)
}

fn bytes(rng: &mut StdRng, len: usize) -> Vec<i8> {
    (0..len).map(|_| rng.random()).collect()
}

/// `alpha * A * B + beta * C` by definition, over functions of row and column.
fn element(
    alpha: i32,
    k: usize,
    a: impl Fn(usize) -> i8,
    b: impl Fn(usize) -> i8,
    beta: i32,
    c: i32,
) -> i32 {
    let dot = (0..k).map(|i| i32::from(a(i)) * i32::from(b(i))).fold(0i32, i32::wrapping_add);
    alpha.wrapping_mul(dot).wrapping_add(beta.wrapping_mul(c))
}

#[test]
fn the_rules_of_blas() {
    let card = tiny();
    let mut rng = StdRng::seed_from_u64(1);
    for (i, [m, n, k]) in
        [[3, 5, 4], [2, 4, 1], [1, 6, 7], [6, 1, 3], [4, 4, 0], [0, 3, 2], [3, 0, 2]]
            .into_iter()
            .enumerate()
    {
        for (alpha, beta) in
            [(1, 0), (1, 1), (-3, 2), (0, 1), (0, 0), (0, -7), (i32::MIN, i32::MAX)]
        {
            // Lines of C have a gap; A is given transposed, B by columns.
            let (lda, ldb, ldc) = (m + 2, k + 1, n + 3);
            let (a, b) = (bytes(&mut rng, k * lda + 1), bytes(&mut rng, n * ldb + 1));
            let before: Vec<i32> = (0..m * ldc).map(|_| rng.random()).collect();
            let mut c = before.clone();
            let left = View::<i8>::new(&a, Order::Row, k, m, lda).unwrap().t();
            let right = View::<i8>::new(&b, Order::Column, k, n, ldb).unwrap();
            let to = ViewMut::<i32>::new(&mut c, Order::Row, m, n, ldc).unwrap();
            let stats = card.gemm(&PLAIN, alpha, left, right, beta, to).unwrap().wait().unwrap();
            for (at, (old, new)) in before.iter().zip(&c).enumerate() {
                let (row, col) = (at / ldc, at % ldc);
                let a = |i: usize| a[i * lda + row];
                let b = |i: usize| b[col * ldb + i];
                let want = if col < n { element(alpha, k, a, b, beta, *old) } else { *old };
                assert_eq!(*new, want, "case {i}, alpha {alpha}, beta {beta} at {row},{col}");
            }
            let product = alpha != 0 && k > 0 && m * n > 0;
            assert_eq!(stats.commands, u64::from(product));
            let by_host = if product { (alpha, beta) != (1, 0) } else { beta != 1 };
            assert_eq!(stats.host_elements, if by_host { (m * n) as u64 } else { 0 });
        }
    }
}

#[test]
fn vectors_with_any_distance() {
    let card = tiny();
    let mut rng = StdRng::seed_from_u64(2);
    for (inc_x, inc_y) in [(1, 1), (3, 1), (1, 2), (5, 4)] {
        let (m, k) = (5, 6);
        let (a, x) = (bytes(&mut rng, m * k), bytes(&mut rng, k * inc_x));
        let mut y: Vec<i32> = (0..(m * inc_y) as i32).collect();
        let matrix = View::<i8>::rows(&a, m, k).unwrap();
        let from = View::<i8>::new(&x, Order::Row, k, 1, inc_x).unwrap();
        let to = ViewMut::<i32>::new(&mut y, Order::Row, m, 1, inc_y).unwrap();
        card.gemv(&PLAIN, 2, matrix, from, 1, to).unwrap().wait().unwrap();
        for (at, &y) in y.iter().enumerate() {
            let (row, old) = (at / inc_y, at as i32);
            let want = element(2, k, |i| a[row * k + i], |i| x[i * inc_x], 1, old);
            assert_eq!(y, if at % inc_y == 0 { want } else { old });
        }
    }
    let two = View::<i8>::rows(&[0; 4], 2, 2).unwrap();
    let mut y = [0; 4];
    let error = card.gemv(&PLAIN, 1, two, two, 0, ViewMut::<i32>::rows(&mut y, 2, 2).unwrap());
    assert!(matches!(error.map(drop), Err(Error::InvalidArg { index: 4, .. })));
}

#[test]
fn buffers_stay_on_the_card() {
    let card = tiny();
    let n = 8;
    let mut rng = StdRng::seed_from_u64(3);
    let (host_a, host_b) = (bytes(&mut rng, n * n), bytes(&mut rng, n * n));
    let (mut a, mut b) = (card.alloc::<i8>(n * n).unwrap(), card.alloc::<i8>(n * n).unwrap());
    a.write(0, &host_a).unwrap();
    b.write(0, &host_b).unwrap();
    let mut c = card.alloc::<i32>(n * n).unwrap();
    let view = |buffer| DmaBuf::view(buffer, Order::Row, n, n, n).unwrap();
    let to = c.view_mut(Order::Row, n, n, n).unwrap();
    let stats = card.gemm(&PLAIN, 1, view(&a), view(&b), 0, to).unwrap().wait().unwrap();
    assert_eq!((stats.commands, stats.host_elements), (1, 0));
    let want =
        |at: usize, c| element(1, n, |i| host_a[at / n * n + i], |i| host_b[i * n + at % n], 1, c);
    let once: Vec<i32> = (0..n * n).map(|at| want(at, 0)).collect();
    assert_eq!(c.to_vec().unwrap(), once);
    // Added once more to what lies there, operands from both places.
    let to = c.view_mut(Order::Row, n, n, n).unwrap();
    let left = View::<i8>::rows(&host_a, n, n).unwrap();
    let event = card.gemm(&PLAIN, 1, left, view(&b), 1, to).unwrap();
    // Forgotten, not dropped: the buffer waits for it when it is read.
    std::mem::forget(event);
    let _ = c.to_vec().unwrap();
    drop((a, b, c));
    // What a forgotten event staged is lost, as with everything that is forgotten.
    assert!(card.memory_held() <= 64 + 256);
}

#[test]
fn what_cannot_lie_like_that_is_refused() {
    let (card, other) = (tiny(), tiny());
    let mut buffer = card.alloc::<i8>(512).unwrap();
    let foreign = other.alloc::<i8>(64).unwrap();
    let (ones, mut c) = ([1i8; 64], [0i32; 16]);
    let host = View::<i8>::rows(&ones, 4, 4).unwrap();
    let mut texts = vec![];
    let mut refused = |result: Result<(), Error>| texts.push(result.unwrap_err().to_string());
    let mut multiply = |a: DynView<'_>| {
        let c = ViewMut::<i32>::rows(&mut c, 4, 4).unwrap().into();
        card.gemm_dyn(&PLAIN, 1.into(), a, host.into(), 0.into(), c).map(drop)
    };
    let view = |start, ld| DynView::on_card(&buffer, Order::Row, 4, 4, ld, Format::I8, start);
    refused(multiply(view(0, 4).unwrap())); // lines too near
    refused(multiply(view(4, 8).unwrap())); // in the middle of a bus beat
    refused(multiply(foreign.view(Order::Row, 4, 4, 8).unwrap().into()));
    refused(multiply(View::<I4>::rows(&[0; 8], 4, 4).unwrap().into()));
    refused(view(513, 8).map(drop));
    refused(buffer.view(Order::Row, 40, 40, 40).map(drop));
    refused(buffer.write(500, &[0; 13]));
    refused(buffer.read(513, &mut []));
    refused(card.alloc::<i32>(usize::MAX / 2).map(drop));
    let queue = ContextOptions { queue: 3, ..Default::default() };
    refused(card.device().context(queue).map(drop));
    let unit = Csr::identity(2, 1).unwrap();
    refused(card.spgemm(&unit, &unit, &SpgemmOptions::default()).map(drop));
    insta::assert_snapshot!(texts.join("\n"));
}

#[test]
fn batches() {
    let card = tiny();
    let mut rng = StdRng::seed_from_u64(4);
    // Three heads side by side in C, one A for all, B one after the other.
    let (m, n, k, batch) = (4, 5, 3, 3);
    let (a, b) = (bytes(&mut rng, m * k), bytes(&mut rng, batch * k * n));
    let mut c = vec![9i32; m * n * batch];
    let first_c = ViewMut::<i32>::new(&mut c, Order::Row, m, n, n * batch).unwrap();
    let event = card.gemm_strided_batched(
        &PLAIN,
        1,
        Strided { first: View::<i8>::rows(&a, m, k).unwrap(), stride: 0 },
        Strided { first: View::<i8>::rows(&b, k, n).unwrap(), stride: k * n },
        2,
        Strided { first: first_c, stride: n },
        batch,
    );
    let stats = event.unwrap().wait().unwrap();
    assert_eq!((stats.commands, stats.macs), (3, (m * n * k * batch) as u64));
    for (at, &c) in c.iter().enumerate() {
        let (row, head, col) = (at / (n * batch), at / n % batch, at % n);
        let b = |i: usize| b[head * k * n + i * n + col];
        assert_eq!(c, element(1, k, |i| a[row * k + i], b, 2, 9), "at {row},{head},{col}");
    }
    // Lists of products of different shapes; one at fault and nothing starts.
    let shapes = [(2, 3), (0, 2), (5, 1)];
    let eye = [1i8, 0, 0, 1];
    let data: Vec<Vec<i8>> = shapes.iter().map(|(rows, _)| bytes(&mut rng, rows * 2)).collect();
    let a: Vec<_> = data
        .iter()
        .zip(shapes)
        .map(|(d, (rows, _))| View::<i8>::rows(d, rows, 2).unwrap())
        .collect();
    let b: Vec<_> = shapes.iter().map(|_| View::<i8>::rows(&eye, 2, 2).unwrap()).collect();
    let mut out: Vec<Vec<i32>> = shapes.iter().map(|(rows, _)| vec![5; rows * 2]).collect();
    fn views<'a>(out: &'a mut [Vec<i32>], shapes: &[(usize, usize)]) -> Vec<ViewMut<'a, i32>> {
        let pairs = out.iter_mut().zip(shapes);
        pairs.map(|(o, (rows, _))| ViewMut::<i32>::rows(o, *rows, 2).unwrap()).collect()
    }
    let mut wrong = b.clone();
    wrong[2] = View::<i8>::rows(&eye[..2], 1, 2).unwrap();
    let error = card.gemm_batched(&PLAIN, 1, &a, &wrong, 0, views(&mut out, &shapes)).map(drop);
    assert!(matches!(error, Err(Error::InvalidArg { index: 4, .. })), "{error:?}");
    assert!(out.iter().flatten().all(|&value| value == 5));
    card.gemm_batched(&PLAIN, 1, &a, &b, 0, views(&mut out, &shapes)).unwrap().wait().unwrap();
    for (data, out) in data.iter().zip(&out) {
        assert!(data.iter().map(|&value| i32::from(value)).eq(out.iter().copied()));
    }
    // Overlapping results, results outside, lists of different length.
    let mut c = [0i32; 20];
    let mut strided = |stride_a, stride_c| {
        let ones = View::<i8>::rows(&eye, 2, 2).unwrap();
        let c = ViewMut::<i32>::rows(&mut c, 2, 2).unwrap();
        let (a, c) =
            (Strided { first: ones, stride: stride_a }, Strided { first: c, stride: stride_c });
        let b = Strided { first: ones, stride: 0 };
        card.gemm_strided_batched(&PLAIN, 1, a, b, 0, c, 4).map(drop).unwrap_err().to_string()
    };
    let texts = [strided(0, 3), strided(0, 0), strided(0, 8), strided(1, 4)];
    insta::assert_snapshot!(texts.join("\n"));
    let short = card.gemm_batched(&PLAIN, 1, &a, &b[..2], 0, views(&mut out, &shapes)).map(drop);
    assert!(matches!(short, Err(Error::InvalidArg { index: 4, .. })));
}

#[test]
fn too_little_memory_is_an_error_or_done_in_parts() {
    let budget = Some(1500);
    let options = ContextOptions { memory_budget: budget, ..Default::default() };
    let card = tiny_with(options);
    let mut rng = StdRng::seed_from_u64(5);
    let (m, n, k) = (21, 18, 9);
    let (a, b) = (bytes(&mut rng, m * k), bytes(&mut rng, k * n));
    let mut c = vec![3i32; m * n];
    let multiply = |options: &GemmOptions, c: &mut [i32]| -> Result<GemmStats, Error> {
        let (a, b) = (View::<i8>::rows(&a, m, k)?, View::<i8>::rows(&b, k, n)?);
        card.gemm(options, 1, a, b, -1, ViewMut::<i32>::rows(c, m, n)?)?.wait()
    };
    let error = multiply(&PLAIN, &mut c).unwrap_err();
    assert!(matches!(error, Error::OutOfMemory { need: 2064, have: 1500 }), "{error}");
    assert_eq!(c, vec![3; m * n]);
    let stats = multiply(&CHUNKED, &mut c).unwrap();
    assert!(stats.commands > 1, "{stats:?}");
    for (at, &c) in c.iter().enumerate() {
        assert_eq!(c, element(1, k, |i| a[at / n * k + i], |i| b[i * n + at % n], -1, 3));
    }
    assert_eq!(card.memory_held(), 0);
    let hopeless = View::<i8>::rows(&[0; 2000], 1, 2000).unwrap();
    let mut c = [0];
    let to = ViewMut::<i32>::rows(&mut c, 1, 1).unwrap();
    let error = card.gemm(&CHUNKED, 1, hopeless, hopeless.t(), 0, to).map(drop).unwrap_err();
    assert!(matches!(error, Error::OutOfMemory { .. }), "{error}");
}

#[test]
fn events_and_threads() {
    let card = tiny();
    let ones = [1i8; 256];
    std::thread::scope(|scope| {
        for size in [3usize, 5] {
            let (card, ones) = (card.clone(), &ones);
            scope.spawn(move || {
                for _ in 0..10 {
                    let view = View::<i8>::rows(&ones[..size * size], size, size).unwrap();
                    let (mut first, mut second) = (vec![0; size * size], vec![1; size * size]);
                    let to = ViewMut::<i32>::rows(&mut first, size, size).unwrap();
                    let mut one = card.gemm(&PLAIN, 1, view, view, 0, to).unwrap();
                    let to = ViewMut::<i32>::rows(&mut second, size, size).unwrap();
                    let two = card.gemm(&PLAIN, 1, view, view, 1, to).unwrap();
                    drop(two); // waits
                    while !one.query() {}
                    assert!(one.wait_for(Duration::MAX));
                    one.wait().unwrap();
                    assert_eq!(first, vec![size as i32; size * size]);
                    assert_eq!(second, vec![size as i32 + 1; size * size]);
                }
            });
        }
    });
    assert_eq!(card.memory_held(), 0);
    // A command that may take no time at all; the card is usable afterwards.
    let hasty = ContextOptions { timeout: Some(Duration::ZERO), ..Default::default() };
    let hasty = card.device().context(hasty).unwrap();
    let view = View::<i8>::rows(&ones, 16, 16).unwrap();
    let mut c = vec![7; 256];
    let to = ViewMut::<i32>::rows(&mut c, 16, 16).unwrap();
    let error = hasty.gemm(&PLAIN, 1, view, view, 0, to).unwrap().wait().unwrap_err();
    assert!(matches!(error, Error::Timeout { op: "gemm", .. }), "{error}");
    assert_eq!(c, vec![7; 256]);
    let to = ViewMut::<i32>::rows(&mut c, 16, 16).unwrap();
    let running = card.gemm(&PLAIN, 1, view, view, 0, to).unwrap();
    card.device().reset().unwrap();
    let error = running.wait().unwrap_err().to_string();
    assert!(error.contains("ABORTED"), "{error}");
    let to = ViewMut::<i32>::rows(&mut c, 16, 16).unwrap();
    card.gemm(&PLAIN, 1, view, view, 0, to).unwrap().wait().unwrap();
    assert_eq!(c, vec![16; 256]);
}

fn random(rng: &mut StdRng, rows: usize, cols: usize, each: usize) -> Csr<i32> {
    let mut triplets = mattock::sparse::Triplets::new();
    for row in 0..rows as u32 {
        for _ in 0..each {
            triplets.push(row, rng.random_range(0..cols as u32), rng.random_range(-9..10));
        }
    }
    triplets.into_csr(rows, cols, |a, b| a + b).unwrap()
}

#[test]
fn sparse_phases() {
    let card = sparse("1M", ContextOptions::default());
    let mut rng = StdRng::seed_from_u64(6);
    let (a, b) = (random(&mut rng, 30, 25, 4), random(&mut rng, 25, 40, 3));
    let expected = spgemm(&a, &b).unwrap();
    let estimate = card.spgemm_estimate(&a, &b).unwrap();
    let products: usize = a.col_idx().iter().map(|&k| b.row_nnz(k as usize)).sum();
    assert_eq!(estimate.products, products as u64);
    assert!(
        estimate.nnz_upper >= expected.nnz() as u64 && estimate.workspace > 8 * estimate.nnz_upper
    );
    for chunked in [false, true] {
        // In parts: less room for C than it needs.
        let budget = chunked.then_some(8 * expected.nnz() as u64 / 3);
        let options = SpgemmOptions { chunked, memory_budget: budget, ..Default::default() };
        let mut plan = card.spgemm_symbolic(&a, &b, &options).unwrap();
        assert_eq!((plan.row_ptr(), plan.nnz()), (expected.row_ptr(), expected.nnz() as u64));
        assert_eq!(plan.blocks() > 1, chunked);
        let (c, stats) = plan.numeric(a.values(), b.values()).unwrap();
        assert_eq!(compare_exact(&expected, &c).mismatches(), 0);
        assert_eq!(stats.products, estimate.products);
        // New values, the same structure: nothing but values moves.
        let (twice, minus) = (a.map(|v| 2 * v), b.map(|v| -v));
        let (c, _) = plan.numeric(twice.values(), minus.values()).unwrap();
        assert_eq!(compare_exact(&spgemm(&twice, &minus).unwrap(), &c).mismatches(), 0);
        let error = plan.numeric(&a.values()[1..], b.values()).unwrap_err();
        assert!(matches!(error, Error::InvalidArg { index: 1, .. }), "{error}");
        let (c, _) = card.spgemm(&a, &b, &options).unwrap();
        assert_eq!(compare_exact(&expected, &c).mismatches(), 0);
    }
    assert_eq!(card.memory_held(), 0);
    let tight = SpgemmOptions { memory_budget: Some(64), ..Default::default() };
    let error = card.spgemm_symbolic(&a, &b, &tight).unwrap_err();
    assert!(matches!(error, Error::OutOfMemory { have: 64, .. }), "{error}");
    let other = SpgemmOptions { semiring: Semiring::MinPlus, ..Default::default() };
    let (c, _) = card.spgemm(&a, &b, &other).unwrap();
    assert_eq!(compare_exact(&spgemm_over(&a, &b, Semiring::MinPlus).unwrap(), &c).mismatches(), 0);
    let none = Csr::<i32>::empty(0, 25).unwrap();
    let mut plan = card.spgemm_symbolic(&none, &b, &SpgemmOptions::default()).unwrap();
    assert_eq!(plan.numeric(&[], b.values()).unwrap().0.rows(), 0);
}

#[test]
fn sparse_with_dense_and_sums() {
    let card = sparse("1M", ContextOptions::default());
    let options = SpgemmOptions::default();
    let mut rng = StdRng::seed_from_u64(7);
    let a = random(&mut rng, 12, 9, 2);
    let x: Vec<i32> = (0..9 * 4).map(|_| rng.random_range(-5..6)).collect();
    for (alpha, beta) in [(1, 0), (2, -1), (0, 3), (1, 1)] {
        let before: Vec<i32> = (0..12 * 5).collect();
        let mut y = before.clone();
        // X by columns, Y by rows with a gap.
        let from = View::<i32>::columns(&x, 9, 4).unwrap();
        let to = ViewMut::<i32>::new(&mut y, Order::Row, 12, 4, 5).unwrap();
        let stats = card.spmm(alpha, &a, from, beta, to, &options).unwrap();
        for (at, &y) in y.iter().enumerate() {
            let (row, col) = (at / 5, at % 5);
            let dot = |col: usize| {
                let (columns, values) = a.row(row);
                columns.iter().zip(values).map(|(&k, v)| v * x[col * 9 + k as usize]).sum::<i32>()
            };
            let old = before[at];
            assert_eq!(y, if col < 4 { alpha * dot(col) + beta * old } else { old });
        }
        assert_eq!(stats.host_elements > 0, (alpha, beta) != (1, 0));
        assert_eq!(stats.products, if alpha == 0 { 0 } else { 4 * a.nnz() as u64 });
    }
    // NaN in y with beta = 0, and in x where A has no entry.
    let halves = Csr::new(2, 3, vec![0, 1, 1], vec![2], vec![0.5f32]).unwrap();
    let (x, mut y) = ([f32::NAN, f32::NAN, 3.0], [f32::NAN; 2]);
    let to = ViewMut::<f32>::rows(&mut y, 2, 1).unwrap();
    card.spmv(1.0, &halves, View::<f32>::rows(&x, 3, 1).unwrap(), 0.0, to, &options).unwrap();
    assert_eq!(y, [1.5, 0.0]);
    let (a, b) = (random(&mut rng, 6, 8, 2), random(&mut rng, 6, 8, 3));
    let (c, _) = card.spadd(3, &a, -2, &b, &options).unwrap();
    let mut sum = mattock::sparse::Triplets::new();
    a.entries().for_each(|(row, col, v)| sum.push(row as u32, col, 3 * v));
    b.entries().for_each(|(row, col, v)| sum.push(row as u32, col, -2 * v));
    let sum = sum.into_csr(6, 8, |x, y| x + y).unwrap();
    assert_eq!(compare_exact(&sum, &c).mismatches(), 0);
    let error = card.spadd(1, &a, 1, &Csr::empty(6, 7).unwrap(), &options).unwrap_err();
    assert!(matches!(error, Error::InvalidArg { index: 4, .. }), "{error}");
}

#[test]
fn products_at_chosen_places() {
    let mut rng = StdRng::seed_from_u64(31);
    let card = sparse("1M", ContextOptions::default());
    let options = SpgemmOptions::default();
    // Element-wise, over times and over plus.
    let (a, b) = (random(&mut rng, 20, 14, 5), random(&mut rng, 20, 14, 6));
    for semiring in [Semiring::PlusTimes, Semiring::MinPlus] {
        let over = SpgemmOptions { semiring, ..options };
        let (c, stats) = card.spmultiply(&a, &b, &over).unwrap();
        let mut both = mattock::sparse::Triplets::new();
        for (row, col, x) in a.entries() {
            let (columns, values) = b.row(row);
            if let Ok(at) = columns.binary_search(&col) {
                let y = values[at];
                both.push(
                    row as u32,
                    col,
                    if semiring == Semiring::PlusTimes { x * y } else { x + y },
                );
            }
        }
        let both = both.into_csr(20, 14, |_, _| unreachable!()).unwrap();
        assert_eq!(compare_exact(&both, &c).mismatches(), 0);
        assert!(stats.products == both.nnz() as u64 && both.nnz() > 5, "{stats:?}");
    }
    let apart = Csr::new(2, 2, vec![0, 1, 1], vec![0], vec![3]).unwrap();
    let other = Csr::new(2, 2, vec![0, 1, 1], vec![1], vec![4]).unwrap();
    let (none, _) = card.spmultiply(&apart, &other, &options).unwrap();
    assert_eq!((none.rows(), none.cols(), none.nnz()), (2, 2, 0));
    let error = card.spmultiply(&a, &apart, &options).unwrap_err();
    assert!(matches!(error, Error::InvalidArg { index: 2, .. }), "{error}");

    // Sampled, A by rows and B by columns.
    let (rows, inner, cols) = (9, 6, 12);
    let x: Vec<i32> = (0..rows * inner).map(|_| rng.random_range(-9..10)).collect();
    let y: Vec<i32> = (0..inner * cols).map(|_| rng.random_range(-9..10)).collect();
    let (x_view, y_view) = (
        || View::<i32>::rows(&x, rows, inner).unwrap(),
        || View::<i32>::columns(&y, inner, cols).unwrap(),
    );
    let before = random(&mut rng, rows, cols, 3);
    for (alpha, beta) in [(1, 0), (1, 1), (3, -2), (0, 5)] {
        let mut c = before.clone();
        let stats = card.sddmm(alpha, x_view(), y_view(), beta, &mut c, &options).unwrap();
        let old = before.entries().map(|(row, col, old)| {
            let dot = (0..inner).map(|k| x[row * inner + k] * y[col as usize * inner + k]);
            alpha * dot.sum::<i32>() + beta * old
        });
        assert_eq!(c.values(), old.collect::<Vec<_>>());
        assert_eq!(c.col_idx(), before.col_idx());
        assert_eq!(stats.products, if alpha == 0 { 0 } else { (inner * before.nnz()) as u64 });
    }
    // No steps: zeros. No entries: nothing to do.
    let mut c = before.clone();
    let (flat, tall) =
        (View::<i32>::rows(&[], rows, 0).unwrap(), View::<i32>::rows(&[], 0, cols).unwrap());
    card.sddmm(1, flat, tall, 0, &mut c, &options).unwrap();
    assert!(c.values().iter().all(|&v| v == 0));
    let mut empty = Csr::<i32>::empty(rows, cols).unwrap();
    assert_eq!(card.sddmm(1, x_view(), y_view(), 0, &mut empty, &options).unwrap().commands, 0);
    // What does not go together.
    let error = card.sddmm(1, y_view(), y_view(), 0, &mut c, &options).unwrap_err();
    assert!(matches!(error, Error::InvalidArg { index: 2, .. }), "{error}");
    let error = card.sddmm(1, x_view(), x_view(), 0, &mut c, &options).unwrap_err();
    assert!(matches!(error, Error::InvalidArg { index: 3, .. }), "{error}");
    let least = SpgemmOptions { semiring: Semiring::MinPlus, ..options };
    let error = card.sddmm(1, x_view(), y_view(), 0, &mut c, &least).unwrap_err();
    assert!(matches!(error, Error::Unsupported { .. }), "{error}");
}
