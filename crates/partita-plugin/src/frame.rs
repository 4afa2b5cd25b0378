//! Lines that carry messages: JSON-RPC 2.0, with limits.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};

/// Bytes that one message may have: 16 MiB.
pub const MAX_BYTES: usize = 16 << 20;

/// The codes of JSON-RPC for errors that either side finds by itself.
pub mod code {
    /// The other side has no such method.
    pub const METHOD_NOT_FOUND: i64 = -32601;
    /// The parameters are not those of the method.
    pub const INVALID_PARAMS: i64 = -32602;
    /// The method failed.
    pub const FAILED: i64 = -32000;
}

/// An error in place of a result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct RpcError {
    /// What kind of error.
    pub code: i64,
    /// What went wrong, in one paragraph.
    pub message: String,
}

impl RpcError {
    /// Returns the error of a method that failed.
    pub fn failed(message: impl Into<String>) -> Self {
        Self { code: code::FAILED, message: message.into() }
    }
}

/// A message.
#[derive(Debug, Clone, PartialEq)]
pub enum Frame {
    /// It wants an answer.
    Request {
        /// What the answer refers to.
        id: Value,
        /// What is asked.
        method: String,
        /// With what.
        params: Value,
    },
    /// It wants none.
    Notification {
        /// What is told.
        method: String,
        /// With what.
        params: Value,
    },
    /// An answer.
    Response {
        /// The request's.
        id: Value,
        /// The answer.
        result: Result<Value, RpcError>,
    },
}

#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct Raw {
    jsonrpc: String,
    #[serde(default, deserialize_with = "present")]
    id: Option<Value>,
    method: Option<String>,
    #[serde(default)]
    params: Value,
    #[serde(default, deserialize_with = "present")]
    result: Option<Value>,
    error: Option<RpcError>,
}

/// Keeps `null` apart from what is not there.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

impl Frame {
    /// Reads a line.
    ///
    /// # Errors
    /// Why it is no message.
    pub fn read(line: &[u8]) -> Result<Self, String> {
        if line.trim_ascii_start().first() == Some(&b'[') {
            return Err("it is a list, expected an object".to_owned()); // serde takes it for the fields.
        }
        let raw: Raw = serde_json::from_slice(line).map_err(|error| error.to_string())?;
        if raw.jsonrpc != "2.0" {
            return Err(format!("`jsonrpc` is `{}`, and must be `2.0`", raw.jsonrpc));
        }
        match raw {
            Raw { method: Some(method), id: Some(id), params, .. } => {
                Ok(Self::Request { id, method, params })
            }
            Raw { method: Some(method), params, .. } => Ok(Self::Notification { method, params }),
            Raw { id: Some(id), error: Some(error), .. } => {
                Ok(Self::Response { id, result: Err(error) })
            }
            Raw { id: Some(id), result: Some(result), .. } => {
                Ok(Self::Response { id, result: Ok(result) })
            }
            _ => Err("it has neither a `method` nor an `id` with a `result` or an `error`".into()),
        }
    }

    /// Returns the line, with its end.
    pub fn line(&self) -> Vec<u8> {
        let document = match self {
            Self::Request { id, method, params } => {
                json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })
            }
            Self::Notification { method, params } => {
                json!({ "jsonrpc": "2.0", "method": method, "params": params })
            }
            Self::Response { id, result: Ok(result) } => {
                json!({ "jsonrpc": "2.0", "id": id, "result": result })
            }
            Self::Response { id, result: Err(error) } => {
                json!({ "jsonrpc": "2.0", "id": id, "error": error })
            }
        };
        format!("{document}\n").into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: Result<Frame, &str>) {
        match (Frame::read(line.as_bytes()), expected) {
            (Err(error), Err(part)) => assert!(error.contains(part), "{line}: {error}"),
            (read, expected) => assert_eq!(read.ok(), expected.ok(), "{line}"),
        }
    }

    #[test]
    fn lines_are_requests_notifications_or_answers() {
        let (id, method, params) = (json!(1), "poll".to_owned(), json!({ "job": "7" }));
        let answer = |result| Frame::Response { id: json!(1), result };
        check(
            r#"{"jsonrpc":"2.0","id":1,"method":"poll","params":{"job":"7"}}"#,
            Ok(Frame::Request { id, method: method.clone(), params: params.clone() }),
        );
        check(
            r#"{"jsonrpc":"2.0","method":"poll","params":{"job":"7"}}"#,
            Ok(Frame::Notification { method, params }),
        );
        check(r#"{"jsonrpc":"2.0","id":1,"result":null}"#, Ok(answer(Ok(Value::Null))));
        let error = RpcError::failed("no");
        check(
            r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"no"}}"#,
            Ok(answer(Err(error))),
        );
    }

    #[test]
    fn anything_else_is_refused_with_the_reason() {
        check("Connecting to the queue …", Err("expected value"));
        check("5", Err("expected an object"));
        check("[]", Err("expected an object"));
        check(r#"["2.0",1,"poll",{},null,null]"#, Err("expected an object"));
        check(r#"{"jsonrpc":"1.0","id":1,"result":1}"#, Err("must be `2.0`"));
        check(r#"{"jsonrpc":"2.0","id":1}"#, Err("neither a `method`"));
        check(r#"{"jsonrpc":"2.0"}"#, Err("neither a `method`"));
        let deep = format!(r#"{{"jsonrpc":"2.0","method":"status","params":{}"#, "[".repeat(1_000));
        check(&deep, Err("recursion limit"));
    }
}
