//! Compares the table in `docs/reference/settings.md` with the options that the compiler knows.

use std::fs;
use std::path::Path;

use partita_engine::compile::{OPTIONS, Scope};

#[test]
fn the_reference_lists_every_option_and_no_other() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/settings.md");
    let text = fs::read_to_string(file).unwrap();
    let rows = text.lines().filter_map(|line| {
        let cells: Vec<&str> = line.split(" | ").collect();
        let key = cells.first()?.strip_prefix("| `")?.strip_suffix('`')?;
        Some((key.to_owned(), cells.get(2)?.to_string()))
    });
    let mut documented: Vec<_> = rows.collect();
    documented.sort();
    let known = OPTIONS.iter().map(|option| {
        let place = if option.scope == Scope::Step { "both" } else { "pipeline" };
        (option.path.to_owned(), place.to_owned())
    });
    let mut known: Vec<_> = known.collect();
    known.sort();
    assert_eq!(documented, known);
}
