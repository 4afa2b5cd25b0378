//! Steps that are commands, between steps that are functions.
//!
//! Run it with `cargo run --bin commands -- run`.

use std::fs;
use std::path::PathBuf;

use partita::prelude::*;

/// Writes a file of numbers.
#[step]
fn write(count: u32) -> Result<PathBuf> {
    let numbers: Vec<String> = (0..count).map(|number| (number * 7 % 10).to_string()).collect();
    // The name of a file is part of it, so it is the same each time.
    let folder = std::env::temp_dir().join(format!("sorting-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let path = folder.join("numbers.txt");
    fs::write(&path, numbers.join("\n") + "\n")?;
    Ok(path)
}

#[step(command = ["sort", "-n", input.raw, ("--output=", output)])]
fn sort(raw: PathBuf) -> PathBuf;

/// What a script says of a file.
#[derive(Outputs)]
struct Measured {
    head: PathBuf,
    lines: u32,
}

#[step(shell = ["head -n", input.count, input.table, ">", output.head, "; wc -l <", input.table, ">", output.lines])]
fn measure(table: PathBuf, count: u32) -> Measured;

/// Reads what the commands have written.
#[step]
fn report(head: PathBuf, lines: u32) -> Result<String> {
    Ok(format!(
        "{lines} numbers, the least {}",
        fs::read_to_string(head)?.replace('\n', " ").trim()
    ))
}

#[pipeline]
fn sorting(#[default(10)] count: u32) {
    let sorted = sort(write(count));
    let measured = measure(&sorted, 3_u32);
    report(&measured.head, &measured.lines);
}

fn main() -> ExitCode {
    partita::main![sorting]
}
