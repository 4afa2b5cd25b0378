//! A step is mapped over one value.

use partita::prelude::*;

#[step]
fn count() -> u32 {
    3
}

#[step]
fn square(number: u32) -> u32 {
    number * number
}

#[pipeline]
fn wrong() {
    square::map(count());
}

fn main() -> ExitCode {
    partita::main![wrong]
}
