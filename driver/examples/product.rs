//! Try it: `mattock serve --config small --socket card.sock`, then
//! `cargo run -p mattock --example product vfio-user:card.sock`.
use mattock::{ContextOptions, Device, Error, GemmOptions, View, ViewMut};

/// Multiplies a 2 x 3 and a 3 x 2 matrix of bytes; results are 32-bit integers.
pub(crate) fn product(url: &str) -> Result<[i32; 4], Error> {
    let card = Device::open(url)?.context(ContextOptions::default())?;
    let a = [1i8, 2, 3, 4, 5, 6];
    let b = [1i8, 0, 0, 1, 1, 1];
    let mut c = [0i32; 4];
    // C = 1 * A * B + 0 * C, row after row; `View::t` transposes, `View::new` takes a leading dimension.
    let (left, right) = (View::<i8>::rows(&a, 2, 3)?, View::<i8>::rows(&b, 3, 2)?);
    let to = ViewMut::<i32>::rows(&mut c, 2, 2)?;
    let event = card.gemm(&GemmOptions::default(), 1, left, right, 0, to)?;
    event.wait()?; // the host is free until here
    Ok(c)
}

#[allow(dead_code)]
fn main() -> Result<(), Error> {
    let url = std::env::args().nth(1).unwrap_or("pci:0000:03:00.0".into());
    println!("{:?}", product(&url)?); // [4, 5, 10, 11]
    Ok(())
}
