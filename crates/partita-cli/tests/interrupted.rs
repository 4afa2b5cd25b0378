//! Commands that ask a plugin, and are ended meanwhile: the plugin and all that it started end with them.

#![allow(clippy::expect_used, reason = "tests may panic")]

mod support;

use std::fs::File;
use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::sync::mpsc::channel;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::sys::stat::Mode;
use nix::unistd::{Pid, mkfifo};
use support::{Machine, text};

/// A flavor that says what it is, unless there is a pipe: then it opens that, and hangs with a child.
const HANGS: &str = r#"#!/bin/sh
if [ -p PIPE ]; then exec 9> PIPE; /bin/sleep 600 & wait; fi
answer() { printf '{"jsonrpc":"2.0","id":%s,"result":%s}\n' "$1" "$2"; }
while IFS= read -r line; do
    id=${line#*'"id":'}; id=${id%%,*}
    case $line in
    *'"method":"hello"'*) answer "$id" '{"protocol":1}' ;;
    *'"method":"describe"'*) answer "$id" '{"name":"hangs","type":"orchestrator","config_schema":{}}' ;;
    *) answer "$id" '{"problems":[]}' ;;
    esac
done
"#;

/// Checks that a command which is ended by a signal leaves nothing of its plugin.
fn check(words: &[&str], signal: Signal) {
    let machine = Machine::new();
    let pipe = machine.folder.path().join("pipe");
    let program = HANGS.replace("PIPE", &text(&pipe));
    let program = text(&machine.program("plugins", "hangs", &program).join("hangs"));
    machine.ok(&["orchestrator", "flavor", "register", &program]);
    mkfifo(&pipe, Mode::S_IRWXU).expect("a pipe");
    let mut command = machine.command(words);
    let command = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let mut command = command.expect("started");
    let (told, ended) = channel();
    let (begun, has_begun) = channel();
    std::thread::spawn(move || {
        let mut pipe = File::open(pipe).expect("opened");
        begun.send(()).expect("heard");
        // It ends when nobody is left who could write.
        told.send(pipe.read_to_end(&mut Vec::new()).expect("read")).expect("heard");
    });
    let long = Duration::from_secs(30);
    has_begun.recv_timeout(long).expect("begun");
    kill(Pid::from_raw(i32::try_from(command.id()).expect("a pid")), signal).expect("signalled");
    assert_eq!(command.wait().expect("ended").signal(), Some(signal as i32), "{words:?}");
    assert!(ended.recv_timeout(long).is_ok(), "{words:?} leaves its plugin behind");
}

#[test]
fn a_command_that_is_ended_takes_its_plugin_along() {
    check(&["orchestrator", "flavor", "update", "hangs"], Signal::SIGINT);
    check(&["orchestrator", "register", "it", "--flavor=hangs"], Signal::SIGTERM);
}

#[test]
fn a_doctor_that_is_ended_takes_the_plugin_along_that_it_looks_at() {
    check(&["doctor"], Signal::SIGINT);
}
