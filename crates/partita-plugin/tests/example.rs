//! The example `child_processes`, as Partita uses it.

#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod support;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use partita_core::launcher::StepLauncher;
use partita_core::literal::Literal;
use partita_core::stack::Origin;
use partita_plugin::{Patience, PluginLauncher, Registration, Start, digest_of};
use support::{Folder, attempt, end, reports};

fn example() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    tests.parent().unwrap().parent().unwrap().join("examples/child_processes")
}

#[test]
fn the_example_says_what_it_is_and_checks_configurations() {
    let start = Start::executable(&example()).unwrap();
    let plugin = Registration::open(&start, Patience::default()).unwrap();
    let digest = digest_of(&example()).unwrap();
    let flavor = plugin.describe("example".to_owned(), Origin::Executable { digest }).unwrap();
    assert_eq!(flavor.name, "child_processes");
    assert_eq!(flavor.config_schema["properties"]["nice"]["type"], "integer");
    let capabilities = flavor.plugin.unwrap().capabilities;
    assert_eq!((capabilities.memory, capabilities.gpus), (None, Some(0)));
    let nice = |text: &str| BTreeMap::from([("nice".to_owned(), Literal::parse(text).unwrap())]);
    assert_eq!(plugin.validate(&nice("5")).unwrap().problems, []);
    let problems = plugin.validate(&nice("20")).unwrap().problems;
    assert_eq!(problems[0].field.as_deref(), Some("nice"));
}

#[test]
fn the_example_runs_commands_and_tells_how_they_ended() {
    let folder = Folder::new();
    for (interpreter, expected) in [("true", "0/1 completed"), ("false", "0/1 failed (1)")] {
        let start = Start::executable(&example()).unwrap();
        let (mut run, _) = folder.run(start, Duration::from_secs(60));
        run.interpreter = interpreter.into();
        let launcher = PluginLauncher::new(run);
        let (reports, reported) = reports();
        launcher.launch(attempt(0, 1), &reports).unwrap();
        let end = end(&reported);
        assert!(end.contains(expected), "{end}");
    }
}
