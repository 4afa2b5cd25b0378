//! The files of `golden` are what this code says and understands, message by message. Other languages
//! read them as well.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests may panic")]

use std::collections::HashMap;

use partita_plugin::frame::Frame;
use partita_plugin::message::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Checks that a value is what `T` writes once it has read it.
fn check<T: DeserializeOwned + Serialize>(value: &Value) {
    let read: T = serde_json::from_value(value.clone()).unwrap();
    assert_eq!(serde_json::to_value(read).unwrap(), *value);
}

fn check_request(asked: &str, params: &Value) {
    match asked {
        method::HELLO => check::<Hello>(params),
        method::STEP => check::<StepRequest>(params),
        method::DESCRIBE => assert_eq!(*params, Value::Null),
        method::RUN => check::<Run>(params),
        method::VALIDATE => check::<Validate>(params),
        method::OPEN => check::<Open>(params),
        method::LAUNCH => check::<Launch>(params),
        method::POLL | method::CANCEL | method::LOGS => check::<JobRequest>(params),
        method::FIND => check::<Find>(params),
        method::STATUS => check::<StatusOf>(params),
        method::IDENTIFIED => check::<Identified>(params),
        other => panic!("{other}"),
    }
}

fn check_answer(asked: &str, result: &Value) {
    match asked {
        method::HELLO => check::<Welcome>(result),
        method::DESCRIBE => check::<Description>(result),
        method::VALIDATE => check::<Validated>(result),
        method::OPEN => check::<Opened>(result),
        method::LAUNCH => check::<Launched>(result),
        method::POLL => check::<Status>(result),
        method::STEP => check::<StepAnswer>(result),
        method::CANCEL => assert!(result.is_object()),
        method::RUN => check::<Ran>(result),
        method::FIND => check::<Found>(result),
        method::LOGS => check::<Logs>(result),
        other => panic!("{other}"),
    }
}

#[test]
fn every_golden_frame_is_read_and_written_as_it_is() {
    for text in [
        include_str!("golden/registration.txt"),
        include_str!("golden/run.txt"),
        include_str!("golden/direct.txt"),
        include_str!("golden/delegated.txt"),
        include_str!("golden/identified.txt"),
    ] {
        let mut asked = HashMap::new();
        for line in text.lines() {
            let (_, line) = line.split_once(": ").unwrap();
            let frame = Frame::read(line.as_bytes()).unwrap();
            assert_eq!(String::from_utf8(frame.line()).unwrap().trim(), line);
            match frame {
                Frame::Request { id, method, params } => {
                    check_request(&method, &params);
                    asked.insert(id.to_string(), method);
                }
                Frame::Notification { method, params } => check_request(&method, &params),
                Frame::Response { id, result } => {
                    check_answer(&asked[&id.to_string()], &result.unwrap());
                }
            }
        }
    }
}
