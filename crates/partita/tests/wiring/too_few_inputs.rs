// error[E0061]: this function takes 2 arguments but 1 argument was supplied
// report("done", /* precision */);

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
