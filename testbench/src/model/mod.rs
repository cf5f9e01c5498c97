//! Cycle models of Mattock's engines: the RTL's cycles at the speed of a program.

pub mod spgemm;
