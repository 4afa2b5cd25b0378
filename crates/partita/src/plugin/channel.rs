//! What is said to Partita, from any thread.

use std::collections::HashMap;
use std::io::Write;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use partita_plugin::frame::{Frame, RpcError};
use partita_plugin::message::{Identified, StatusOf, method};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::serve::{read, said};
use super::{Error, JobReport, Result};

type Answer = std::result::Result<Value, RpcError>;

/// What the plugin writes to, and what it waits for.
#[derive(Clone)]
pub(super) struct Channel(Arc<Shared>);

struct Shared {
    out: Mutex<Box<dyn Write + Send>>,
    questions: Mutex<Questions>,
}

#[derive(Default)]
struct Questions {
    asked: u64,
    /// Who waits for an answer, by id.
    open: HashMap<u64, Sender<Answer>>,
    /// Whether nobody answers any more.
    is_over: bool,
}

impl Channel {
    pub(super) fn new(out: Box<dyn Write + Send>) -> Self {
        let questions = Mutex::default();
        Self(Arc::new(Shared { out: Mutex::new(out), questions }))
    }

    pub(super) fn say(&self, frame: &Frame) {
        let mut out = self.0.out.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever does not listen any more has closed standard input, too.
        let _ = out.write_all(&frame.line()).and_then(|()| out.flush());
    }

    /// Tells how an attempt ended.
    pub(super) fn ended(&self, attempt: String, report: JobReport) {
        let params = said(&StatusOf { attempt, status: report.into() }).unwrap_or_default();
        self.say(&Frame::Notification { method: method::STATUS.to_owned(), params });
    }

    /// Tells what the orchestrator calls the run, unless that is what Partita calls it.
    pub(super) fn identified(&self, orchestrator_run_id: &str, run_id: &str) {
        if orchestrator_run_id == run_id {
            return;
        }
        let orchestrator_run_id = orchestrator_run_id.to_owned();
        let params = said(&Identified { orchestrator_run_id }).unwrap_or_default();
        self.say(&Frame::Notification { method: method::IDENTIFIED.to_owned(), params });
    }

    /// Asks Partita something, and waits for the answer.
    pub(super) fn ask<A: DeserializeOwned>(
        &self,
        method: &str,
        params: &impl Serialize,
    ) -> Result<A> {
        let failed = |error: RpcError| Error::Failed(error.message);
        let params = said(params).map_err(failed)?;
        let (sender, answer) = channel();
        let mut questions = self.questions();
        if questions.is_over {
            return Err(nobody());
        }
        questions.asked += 1;
        let id = questions.asked;
        questions.open.insert(id, sender);
        drop(questions);
        self.say(&Frame::Request { id: id.into(), method: method.to_owned(), params });
        let answer = answer.recv().map_err(|_| nobody())?;
        answer.and_then(read).map_err(failed)
    }

    /// Takes an answer of Partita.
    pub(super) fn answered(&self, id: &Value, answer: Answer) {
        let waiting = id.as_u64().and_then(|id| self.questions().open.remove(&id));
        if let Some(waiting) = waiting {
            let _ = waiting.send(answer);
        }
    }

    /// Tells whoever waits for an answer that there will be none.
    pub(super) fn close(&self) {
        let mut questions = self.questions();
        questions.is_over = true;
        questions.open.clear();
    }

    fn questions(&self) -> MutexGuard<'_, Questions> {
        self.0.questions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn nobody() -> Error {
    Error::failed("Partita does not listen any more")
}
