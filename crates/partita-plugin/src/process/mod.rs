//! A running plugin: what is asked of it, what it answers, and how it ends.
//!
//! One thread, the supervisor, owns the process: it writes what is asked, reads what is answered,
//! keeps the time, and sees the end. Nobody else touches it, so that everything that happens has one
//! order. Whatever goes wrong, every question gets an answer: at last, that the plugin is gone.

mod lines;
mod supervisor;
mod words;

pub use supervisor::unknown_method;

use std::process::Command;
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Sender, bounded};
use nix::sys::eventfd::EventFd;
use partita_core::literal::Literal;
use partita_core::schema::Schema;
use schemars::{JsonSchema, schema_for};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::frame::{Frame, RpcError};
use crate::patience::Patience;

/// Why a question has no answer that helps.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum CallError {
    /// The plugin answered with an error.
    #[error("{0}")]
    Refused(RpcError),
    /// It answered the first question of all with an error.
    #[error("{0}")]
    Unwelcome(RpcError),
    /// The plugin is gone.
    #[error("{0}")]
    Gone(String),
    /// The answer is not what the method answers.
    #[error("answered `{method}` with what is no answer to that: {reason}")]
    Malformed {
        /// What was asked.
        method: String,
        /// What is wrong with the answer.
        reason: String,
    },
}

/// Takes what a plugin says by itself. It is called on the supervisor's thread, and must not wait.
pub trait Listener: Send {
    /// Takes a notification.
    fn notified(&mut self, method: &str, params: Value);

    /// Takes a request; it is answered with [`Answers::answer`], now or later.
    fn asked(&mut self, id: Value, method: &str, params: Value);

    /// Takes a line that the plugin wrote to its standard error.
    fn printed(&mut self, line: &str);

    /// Returns what the plugin wrote without what is secret in it, as it may be shown in part; of a
    /// text that was cut, without an end that may be the beginning of a secret.
    fn cleared(&self, text: &str, is_cut: bool) -> String;

    /// Learns that the plugin is gone, and why; nothing comes after that.
    fn gone(&mut self, why: &str);
}

type Answer = Box<dyn FnOnce(Result<Value, CallError>) + Send>;

/// What the supervisor is told.
enum Order {
    Ask {
        method: &'static str,
        params: Value,
        patience: Option<Duration>,
        answer: Answer,
    },
    Send(Frame),
    /// It is killed unless it ends within this time.
    Hurry(Duration),
    /// The process has ended and waits to be reaped.
    Exited,
    Close,
}

/// The supervisor's letter box.
#[derive(Clone)]
struct Mailbox {
    orders: Sender<Order>,
    bell: Arc<EventFd>,
    /// Why the plugin is gone, once it is.
    why: Arc<OnceLock<String>>,
}

impl Mailbox {
    fn send(&self, order: Order) {
        match self.orders.send(order) {
            Ok(()) => drop(self.bell.write(1)),
            Err(unsent) => {
                if let Order::Ask { answer, .. } = unsent.into_inner() {
                    answer(Err(self.gone()));
                }
            }
        }
    }

    fn gone(&self) -> CallError {
        CallError::Gone(self.why.get().map_or("has ended", String::as_str).to_owned())
    }
}

/// Answers what a plugin asks, from any thread.
#[derive(Clone)]
pub struct Answers(Mailbox);

impl Answers {
    /// Answers a request.
    pub fn answer<T: Serialize>(&self, id: Value, result: Result<T, RpcError>) {
        let result = result.and_then(|result| {
            serde_json::to_value(result).map_err(|error| RpcError::failed(error.to_string()))
        });
        self.0.send(Order::Send(Frame::Response { id, result }));
    }
}

/// Ends a plugin, from any thread.
#[derive(Clone)]
pub struct Ender(Mailbox);

impl Ender {
    /// Has it killed at once, and all that it started: whoever waits for an answer learns of that.
    pub fn end(&self) {
        self.0.send(Order::Hurry(Duration::ZERO));
    }
}

/// A running plugin; it is ended when this is dropped.
pub struct PluginProcess {
    mailbox: Mailbox,
    supervisor: Option<JoinHandle<()>>,
}

impl PluginProcess {
    /// Starts a plugin. `listener` is made with what answers its requests.
    ///
    /// # Errors
    /// What the system says.
    pub fn start(
        command: Command,
        patience: Patience,
        listener: impl FnOnce(Answers) -> Box<dyn Listener>,
    ) -> std::io::Result<Self> {
        let (mailbox, inbox) = supervisor::mailbox()?;
        let listener = listener(Answers(mailbox.clone()));
        let (started, start) = bounded(1);
        let own = mailbox.clone();
        let supervisor = std::thread::Builder::new()
            .name("partita-plugin".to_owned())
            .spawn(move || supervisor::run(command, own, inbox, patience, listener, &started))?;
        match start.recv() {
            Ok(Ok(())) => Ok(Self { mailbox, supervisor: Some(supervisor) }),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(std::io::Error::other("its supervisor ended")),
        }
    }

    /// Returns what answers its requests.
    pub(crate) fn answers(&self) -> Answers {
        Answers(self.mailbox.clone())
    }

    /// Returns what ends it.
    pub(crate) fn ender(&self) -> Ender {
        Ender(self.mailbox.clone())
    }

    /// Has it end: whoever waits for an answer learns that it is gone.
    pub fn close(&self) {
        self.mailbox.send(Order::Close);
    }

    /// Asks something; `answer` is called once, on the supervisor's thread. A plugin that takes
    /// longer than `patience` is ended.
    pub fn ask<Q: Serialize, A: DeserializeOwned + JsonSchema>(
        &self,
        method: &'static str,
        params: &Q,
        patience: Option<Duration>,
        answer: impl FnOnce(Result<A, CallError>) + Send + 'static,
    ) {
        let params = match serde_json::to_value(params) {
            Ok(params) => params,
            Err(error) => return answer(Err(malformed(method, error.to_string()))),
        };
        let answer = move |result: Result<Value, CallError>| {
            answer(
                result.and_then(|value| read(&value).map_err(|reason| malformed(method, reason))),
            );
        };
        self.mailbox.send(Order::Ask { method, params, patience, answer: Box::new(answer) });
    }

    /// Has it killed unless it ends within this time.
    pub(crate) fn hurry(&self, within: Duration) {
        self.mailbox.send(Order::Hurry(within));
    }

    /// Asks something and waits for the answer, without a patience for ever.
    ///
    /// # Errors
    /// Why there is none.
    pub fn call<Q: Serialize, A: DeserializeOwned + JsonSchema + Send + 'static>(
        &self,
        method: &'static str,
        params: &Q,
        patience: impl Into<Option<Duration>>,
    ) -> Result<A, CallError> {
        let (answer, answered) = bounded(1);
        self.ask(method, params, patience.into(), move |result| drop(answer.send(result)));
        answered.recv().unwrap_or_else(|_| Err(self.mailbox.gone()))
    }
}

fn malformed(method: &str, reason: String) -> CallError {
    CallError::Malformed { method: method.to_owned(), reason }
}

/// Reads a value, or says why it is no `T`.
pub(crate) fn read<T: DeserializeOwned + JsonSchema>(value: &Value) -> Result<T, String> {
    T::deserialize(value)
        .map_err(|error| problems_as::<T>(value).unwrap_or_else(|| error.to_string()))
}

/// Returns what is wrong with a value that should be a `T`, an object, in one sentence.
pub(crate) fn problems_as<T: JsonSchema>(value: &Value) -> Option<String> {
    let Some(object) = value.as_object() else { return Some("it is no object".to_owned()) };
    let literal = |value: &Value| Literal::parse(&value.to_string()).ok();
    let values = object.iter().filter_map(|(key, value)| Some((key.clone(), literal(value)?)));
    let schema = schema_for!(T).to_value();
    let known = Schema::of(&schema);
    // What is not known of an answer is passed over.
    let values = values.filter(|(key, _)| known.names().any(|name| name == key));
    let problems = known.problems(&values.collect());
    (!problems.is_empty()).then(|| problems.join("; "))
}

impl Drop for PluginProcess {
    fn drop(&mut self) {
        self.mailbox.send(Order::Close);
        if let Some(supervisor) = self.supervisor.take()
            && supervisor.thread().id() != std::thread::current().id()
        {
            let _ = supervisor.join();
        }
    }
}
