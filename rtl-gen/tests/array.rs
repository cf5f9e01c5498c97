//! Promises about big designs: size and identity of the text, agreement of the simulators.

#[path = "common/array.rs"]
mod array;
#[path = "common/verilated.rs"]
mod verilated;

use array::Array;
use rtl_gen::{Design, Interpreter};
use verilated::Verilated;

#[test]
fn text_of_a_big_array_is_small_and_always_the_same() {
    let print = || Design::elaborate(&Array { rows: 64, cols: 64 }).unwrap().verilog_text();
    let text = print();
    assert!(text.len() <= 1_300_000, "{} bytes", text.len());
    assert!(text == print());
    let (other, here) = (std::thread::spawn(print).join().unwrap(), text);
    assert!(other == here);
}

#[test]
fn interpreter_and_verilator_agree_on_an_array() {
    let array = Array { rows: 4, cols: 8 };
    let design = Design::elaborate(&array).unwrap();
    let interpreted = array::run(&mut Interpreter::new(&design).unwrap(), &array, 2000);
    let verilated = array::run(&mut Verilated::new(&design), &array, 2000);
    assert_eq!(interpreted, verilated);
    assert_ne!(interpreted, 0);
}
