//! What of a step's output reaches its log.

use std::sync::Mutex;

use partita_core::secret::Reference;
use partita_engine::secrets::SecretString;
use partita_engine::store::{ArtifactStore, Durability, LocalArtifactStore};

use super::*;

const LARGE: LogLimits = LogLimits { rate: None, size: Memory(1_000_000_000) };

struct Silent;

impl Echo for Silent {
    fn line(&self, _: &str, _: LogStream, _: &str) {}
}

#[derive(Default)]
struct Heard(Mutex<Vec<String>>);

impl Echo for Heard {
    fn line(&self, step: &str, _: LogStream, line: &str) {
        self.0.lock().unwrap().push(format!("{step}: {line}"));
    }
}

/// Returns the lines of the log of a step that prints `printed`.
fn logged(printed: &[u8], limits: LogLimits, echo: Arc<dyn Echo>) -> Vec<String> {
    logged_of(printed.chunks(1 << 15), limits, echo, None)
}

/// Returns the lines of the log of a step that prints `parts` in a run that uses `secrets`.
fn logged_of<'p>(
    parts: impl Iterator<Item = &'p [u8]>,
    limits: LogLimits,
    echo: Arc<dyn Echo>,
    secrets: Option<&Arc<Secrets>>,
) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let store = LocalArtifactStore::open(folder.path(), Durability::Process).unwrap();
    let store: Arc<dyn ArtifactStore> = Arc::new(store);
    let log = StepLog::new(Arc::clone(&store), "log.jsonl".to_owned());
    let mut output = Output::new("train".to_owned(), log, echo, limits, secrets);
    parts.for_each(|part| output.take(LogStream::Stdout, part));
    output.finish();
    let Ok(text) = store.read("log.jsonl") else { return Vec::new() };
    let line = |line: &str| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        line["line"].as_str().unwrap().to_owned()
    };
    std::str::from_utf8(&text).unwrap().lines().map(line).collect()
}

fn check(printed: &[u8], expected: &[&str]) {
    let lines = logged(printed, LARGE, Arc::new(Silent));
    assert_eq!(lines, expected, "{}", String::from_utf8_lossy(&printed[..printed.len().min(80)]));
}

#[test]
fn lines_are_recorded_as_they_were_printed() {
    check(b"", &[]);
    check(b"one\ntwo\r\n\nthree", &["one", "two", "", "three"]);
    check("h\u{e9}\nbad \u{ff}\n".as_bytes(), &["h\u{e9}", "bad \u{ff}"]);
    check(b"bad \xff\n", &["bad \u{fffd}"]);
}

#[test]
fn a_line_that_is_drawn_again_and_again_is_recorded_as_it_was_last() {
    check(b"\r 1%\r 2%\r100%\ndone\n", &["100%", "done"]);
    check(b" 1%\r 2%\r", &[" 2%"]);
    let redrawn: Vec<u8> = (0..100_000).flat_map(|n| format!("\r{n}").into_bytes()).collect();
    check(&redrawn, &["99999"]);
}

#[test]
fn a_line_without_end_is_recorded_in_parts() {
    let lines = logged(&vec![b'x'; LINE_LIMIT * 2], LARGE, Arc::new(Silent));
    assert_eq!(lines.iter().map(String::len).sum::<usize>(), LINE_LIMIT * 2);
    assert!(lines.len() > 1);
}

#[test]
fn a_log_that_reaches_its_size_says_so_and_ends() {
    let limits = LogLimits { size: Memory(1_000), ..LARGE };
    let printed = "123456789\n".repeat(1_000);
    let lines = logged(printed.as_bytes(), limits, Arc::new(Silent));
    assert_eq!(lines.len(), 101);
    assert!(lines[100].contains("has reached 1KB"), "{}", lines[100]);
}

#[test]
fn lines_above_the_rate_are_counted_in_the_log_and_still_shown() {
    let limits = LogLimits { rate: NonZeroU32::new(10), ..LARGE };
    let heard = Arc::new(Heard::default());
    let printed = "x\n".repeat(500);
    let lines = logged(printed.as_bytes(), limits, Arc::clone(&heard) as _);
    let left_out: u64 = lines
        .iter()
        .filter_map(|line| line.strip_prefix("partita: ")?.split(' ').next()?.parse::<u64>().ok())
        .sum();
    assert_eq!(lines.iter().filter(|line| *line == "x").count() as u64 + left_out, 500);
    assert!(left_out > 0);
    assert_eq!(heard.0.lock().unwrap().len(), 500);
}

#[test]
fn neither_the_log_nor_the_echo_tells_a_secret_that_comes_bit_by_bit() {
    let reference = Reference { name: "hub".to_owned(), key: "token".to_owned() };
    let value = SecretString::from("first line\nsecond line");
    let secrets = Arc::new(Secrets::new([(reference, value)].into()).unwrap());
    let heard = Arc::new(Heard::default());
    let printed = b"a first line\nsecond line b\nonly the second line\nfirst li\nfirst";
    let lines = logged_of(printed.chunks(3), LARGE, Arc::clone(&heard) as _, Some(&secrets));
    let expected =
        ["a {{hub.token}} b", "only the {{hub.token}}", "first li", "first"].map(str::to_owned);
    assert_eq!(lines, expected);
    assert_eq!(*heard.0.lock().unwrap(), expected.map(|line| format!("train: {line}")));
}
