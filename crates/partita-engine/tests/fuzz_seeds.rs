//! Runs the checks of the fuzz targets on stable Rust: every saved seed, and mutations of them that
//! are the same each time. `make fuzz` looks for new ones.

// A check fails by panicking, and the fuzz targets' crate exports what is private here.
#![allow(clippy::panic, clippy::unwrap_used, unreachable_pub)]

use std::fs;
use std::path::Path;

#[path = "../../../fuzz/src/checks.rs"]
mod checks;

use checks::{CHECKS, Check};

/// What mutations put in besides bytes: the words and signs that the formats are made of.
const TOKENS: [&str; 20] = [
    "{", "}", "[", "]", "\"", ":", ",", "null", "true", "-0.0", "1e308", "\\u0000", "..", "/",
    "\n", ": ", "- ", "&a", "*a", "$partita",
];

/// Makes numbers that look random and are the same each time (SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) % end.max(1) as u64) as usize
    }
}

/// Changes `data` in one place; `other` is another seed.
fn mutate(data: &mut Vec<u8>, other: &[u8], numbers: &mut Numbers) {
    let at = numbers.below(data.len() + 1);
    let end = (at + numbers.below(32)).min(data.len());
    let put: Vec<u8> = match numbers.below(5) {
        0 => Vec::new(),
        1 => data[at..end].repeat(2),
        2 => other[numbers.below(other.len())..].iter().take(64).copied().collect(),
        3 => TOKENS[numbers.below(TOKENS.len())].into(),
        _ => data[at..end].iter().map(|byte| byte ^ (1 << numbers.below(8))).collect(),
    };
    data.splice(at..end, put);
}

/// Runs the check `name` on every seed, and on `mutations` mutations of them.
fn check(name: &str, mutations: usize) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds").join(name);
    let (_, check): &(&str, Check) = CHECKS.iter().find(|(known, _)| *known == name).unwrap();
    let entries = fs::read_dir(folder).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let seeds: Vec<Vec<u8>> = paths.iter().map(|path| fs::read(path).unwrap()).collect();
    assert!(!seeds.is_empty(), "no seeds are saved for `{name}`");
    for (path, seed) in paths.iter().zip(&seeds) {
        let outcome = std::panic::catch_unwind(|| check(seed));
        assert!(outcome.is_ok(), "the check `{name}` failed for the seed {path:?}");
    }
    let mut numbers = Numbers(seeds.len() as u64);
    for _ in 0..mutations {
        let mut data = seeds[numbers.below(seeds.len())].clone();
        for _ in 0..=numbers.below(3) {
            mutate(&mut data, &seeds[numbers.below(seeds.len())], &mut numbers);
        }
        let outcome = std::panic::catch_unwind(|| check(&data));
        let shown = String::from_utf8_lossy(&data);
        assert!(outcome.is_ok(), "the check `{name}` failed for {shown:?}");
    }
}

#[test]
fn deployments_are_refused_or_read_back_the_same() {
    check("deployment", 5_000);
}

#[test]
fn documents_of_runs_are_refused_or_read_back_the_same() {
    check("documents", 500);
}

#[test]
fn configuration_files_compile_or_are_refused_with_advice() {
    check("config_file", 600);
}

#[test]
fn literals_are_refused_or_keep_their_values() {
    check("literal", 20_000);
}

#[test]
fn quantities_are_refused_or_read_back_the_same() {
    check("quantities", 20_000);
}

#[test]
fn no_path_leads_out_of_a_store() {
    check("store_paths", 300);
}

#[test]
fn messages_of_plugins_are_refused_or_read_back_the_same() {
    check("plugin_messages", 5_000);
}
