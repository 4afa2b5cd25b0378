//! What a plugin says and prints, heard in parts: orders, times and ends have their turn in between.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Pending, Supervisor};
use crate::frame::{Frame, MAX_BYTES, RpcError};
use crate::message::method;
use crate::process::CallError;
use crate::process::lines::Line;
use crate::process::words::{stray, told};

/// Lines that are taken from each output before orders, times and ends have their turn again.
const HEARD: usize = 64;
/// How long it is heard what a plugin left in its pipes: what it started may go on printing there.
const LEFT: Duration = Duration::from_secs(1);

impl Supervisor {
    /// Takes in some of what the plugin has said; says why no more of it can be understood.
    pub(super) fn hear(&mut self) -> Result<(), String> {
        let has_more_errors = self.hear_errors();
        self.is_behind = self.hear_messages()? || has_more_errors;
        Ok(())
    }

    /// Takes in what the plugin has said to its end.
    pub(super) fn hear_out(&mut self) -> Result<(), String> {
        let until = Instant::now() + LEFT;
        self.is_behind = true;
        while self.is_behind && Instant::now() < until {
            self.hear()?;
        }
        Ok(())
    }

    /// Takes in what it has left on its standard error.
    pub(super) fn hear_last_errors(&mut self) {
        let until = Instant::now() + LEFT;
        while self.hear_errors() && Instant::now() < until {}
    }

    /// Returns whether there may be more of it.
    fn hear_errors(&mut self) -> bool {
        for _ in 0..HEARD {
            let line = match self.stderr.next() {
                Line::Whole(line) => self.listener.cleared(&String::from_utf8_lossy(&line), false),
                Line::TooLong(line) => {
                    let line = self.listener.cleared(&String::from_utf8_lossy(&line), true);
                    format!("{line} [the rest of this line is left out]")
                }
                Line::Skipped => continue,
                Line::None | Line::End => return false,
            };
            self.listener.printed(&line);
            if !line.trim().is_empty() {
                self.last_printed = Some(line);
            }
        }
        true
    }

    /// Returns whether there may be more messages.
    fn hear_messages(&mut self) -> Result<bool, String> {
        for _ in 0..HEARD {
            match self.stdout.next() {
                Line::Whole(line) => match Frame::read(&line) {
                    Ok(frame) => self.heard(frame)?,
                    Err(reason) => {
                        let line = self.listener.cleared(&String::from_utf8_lossy(&line), false);
                        return Err(stray(&line, &reason));
                    }
                },
                Line::TooLong(_) => {
                    let most = MAX_BYTES >> 20;
                    return Err(format!("sent a message of more than {most} MiB"));
                }
                Line::Skipped => {}
                Line::None => return Ok(false),
                Line::End => {
                    // What its exit code says is better; it is given a moment to end.
                    if !std::mem::replace(&mut self.is_silent, true) {
                        self.kill_within(self.patience.end);
                    }
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// Takes in a message; says why nothing that the plugin says can be relied on.
    fn heard(&mut self, frame: Frame) -> Result<(), String> {
        match frame {
            Frame::Request { id, method, .. } if self.is_echo(&id, &method) => {
                return Err(format!(
                    "wrote `{method}` back as it was asked it, so it is no plugin: one answers requests"
                ));
            }
            Frame::Request { id, method, params } => self.listener.asked(id, &method, params),
            Frame::Notification { method, params } => self.listener.notified(&method, params),
            Frame::Response { id, result } => {
                self.last_answer = Instant::now();
                match id.as_u64().and_then(|id| self.pending.remove(&id)) {
                    Some(pending) => return self.answered(pending, result),
                    // It was answered before, or never asked.
                    None => self.listener.printed(&format!(
                        "partita: the answer with the id {id} is passed over; nothing waits for it"
                    )),
                }
            }
        }
        Ok(())
    }

    fn is_echo(&self, id: &Value, method: &str) -> bool {
        let asked = id.as_u64().and_then(|id| self.pending.get(&id));
        asked.is_some_and(|pending| pending.method == method)
    }

    fn answered(&self, pending: Pending, result: Result<Value, RpcError>) -> Result<(), String> {
        let Pending { method, answer, .. } = pending;
        if self.pending.values().any(|one| one.method == method::HELLO) {
            let why = format!(
                "answered `{method}` before `hello`, which says which version of the protocol it speaks"
            );
            answer(Err(CallError::Gone(why.clone())));
            return Err(why);
        }
        answer(result.map_err(|RpcError { code, message }| {
            let message = told(&self.listener.cleared(&message, false));
            let refuse =
                if method == method::HELLO { CallError::Unwelcome } else { CallError::Refused };
            refuse(RpcError { code, message })
        }));
        Ok(())
    }
}
