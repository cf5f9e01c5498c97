//! The merge core in the interpreter, against a hash map.

mod accumulate;
mod bench;
mod correct;
mod front;
mod joins;
mod speed;
mod tags;
