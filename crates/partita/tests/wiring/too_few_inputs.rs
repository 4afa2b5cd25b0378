//! An input is left out.

use partita::prelude::*;

#[step]
fn report(text: String, precision: u8) {
    println!("{text} {precision}");
}

#[pipeline]
fn wrong() {
    report("done");
}

fn main() -> ExitCode {
    partita::main![wrong]
}
