//! What the host's side costs: `cargo xtask bench api`.
//!
//! | group | what is timed |
//! |---|---|
//! | `call` | processor time of the driver alone: a card of registers in memory that ends every command at once |
//! | `served` | a register and the smallest product of a card that another thread simulates, over its socket |
//! | `staging` | bytes on their way to memory the card reaches, beside the same bytes copied by `memcpy` |

#[path = "../../driver/tests/fake/mod.rs"]
mod fake;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use fake::{DONE, Fake};
use mattock::sparse::SpgemmOptions;
use mattock::{Context, ContextOptions, Csr, Device, DmaBuf, GemmOptions, Order, View, ViewMut};
use mattock_spec::regs::card::ID;
use mattock_testbench::serve::Served;
use rustix::time::{ClockId, clock_gettime};
use std::hint::black_box;
use std::time::Duration;

const OPTIONS: GemmOptions = GemmOptions {
    resident: false,
    chunked: false,
    rounding: mattock_spec::Rounding::Rne,
    saturate: false,
};

/// A product of buffers: nothing is copied.
struct Buffers {
    card: Context,
    a: DmaBuf<i8>,
    c: DmaBuf<i32>,
}

impl Buffers {
    const N: usize = 64;

    fn new(card: Context) -> Self {
        let n = Self::N * Self::N;
        let (a, c) = (card.alloc::<i8>(n).unwrap(), card.alloc::<i32>(n).unwrap());
        Buffers { card, a, c }
    }

    fn multiply(&mut self, n: usize) {
        let a = self.a.view(Order::Row, n, n, Self::N).unwrap();
        let c = self.c.view_mut(Order::Row, n, n, Self::N).unwrap();
        black_box(self.card.gemm(&OPTIONS, 1, a, a, 0, c).unwrap().wait().unwrap());
    }
}

/// Processor time of this thread, which others on the machine do not lengthen, for so many calls.
fn processor(calls: u64, mut call: impl FnMut()) -> Duration {
    let now = || {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
    };
    let start = now();
    (0..calls).for_each(|_| call());
    now() - start
}

fn call(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("call");
    let mut buffers = Buffers::new(Fake::new(DONE, 1 << 20).open());
    group.bench_function("gemm of buffers", |b| {
        b.iter_custom(|calls| processor(calls, || buffers.multiply(64)))
    });
    let card = Fake::new(DONE, 1 << 20).open();
    for n in [8, 64] {
        let (ones, mut c) = (vec![1i8; n * n], vec![0i32; n * n]);
        group.bench_with_input(BenchmarkId::new("gemm of host memory", n), &n, |b, &n| {
            let mut multiply = || {
                let a = View::<i8>::rows(&ones, n, n).unwrap();
                let to = ViewMut::<i32>::rows(&mut c, n, n).unwrap();
                black_box(card.gemm(&OPTIONS, 1, a, a, 0, to).unwrap().wait().unwrap());
            };
            b.iter_custom(|calls| processor(calls, &mut multiply));
        });
    }
    let card = Fake::new(DONE, 1 << 20).open(); // its memory is still zero
    let empty = Csr::<f32>::empty(8, 8).unwrap();
    let how = SpgemmOptions::default();
    group.bench_function("spgemm of empty 8 x 8", |b| {
        b.iter_custom(|calls| {
            processor(calls, || drop(black_box(card.spgemm(&empty, &empty, &how).unwrap())))
        });
    });
    group.finish();
}

fn served(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("served");
    group.sample_size(20);
    let served = Served::start("small", None);
    let device = Device::open(&served.url()).unwrap();
    group.bench_function("register read", |b| {
        let mut transport = device.transport();
        b.iter(|| black_box(transport.read32(ID.address()).unwrap()));
    });
    let mut buffers = Buffers::new(device.context(ContextOptions::default()).unwrap());
    group.bench_function("gemm of one element", |b| b.iter(|| buffers.multiply(1)));
    group.finish();
}

fn staging(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("staging");
    group.sample_size(20);
    let served = Served::start("small", None);
    let device = Device::open(&format!("{}?memory=67108864", served.url())).unwrap();
    let card = device.context(ContextOptions::default()).unwrap();
    let fake = Fake::new(DONE, 1 << 26).open();
    for bytes in [1usize << 14, 1 << 20, 1 << 24] {
        group.throughput(Throughput::Bytes(bytes as u64));
        let (from, mut to) = (vec![1i8; bytes], vec![0i8; bytes]);
        group.bench_function(BenchmarkId::new("memcpy", bytes), |b| {
            b.iter(|| black_box(&mut to).copy_from_slice(black_box(&from)));
        });
        let mut buffer = card.alloc::<i8>(bytes).unwrap();
        group.bench_function(BenchmarkId::new("buffer write", bytes), |b| {
            b.iter(|| buffer.write(0, black_box(&from)).unwrap());
        });
        group.bench_function(BenchmarkId::new("buffer read", bytes), |b| {
            b.iter(|| buffer.read(0, black_box(&mut to)).unwrap());
        });
        drop(buffer);
        // A whole call whose left operand is all there is to copy: lines that fit the card's, and lines that do not.
        let rows = 1 << (bytes.ilog2() / 2);
        for (name, cols) in [("operand", bytes / rows), ("operand, lines padded", bytes / rows - 1)]
        {
            let (vector, mut c) = (vec![1i8; cols], vec![0i32; rows]);
            group.bench_function(BenchmarkId::new(name, bytes), |b| {
                b.iter(|| {
                    let a = View::<i8>::rows(&from[..rows * cols], rows, cols).unwrap();
                    let x = View::<i8>::rows(&vector, cols, 1).unwrap();
                    let y = ViewMut::<i32>::rows(&mut c, rows, 1).unwrap();
                    black_box(fake.gemv(&OPTIONS, 1, a, x, 0, y).unwrap().wait().unwrap());
                });
            });
        }
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1));
    targets = call, served, staging
}
criterion_main!(benches);
