//! What came of a request to a registry that failed, in its words.

use oci_client::errors::{OciDistributionError, OciEnvelope, OciErrorCode};

/// What came of a request to a registry that failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Answer {
    /// There was none.
    #[error("{0}")]
    Away(String),
    /// It has no such image.
    #[error("{0}")]
    Absent(String),
    /// It does not take who asks.
    #[error("{0}")]
    Denied(String),
    /// It says no.
    #[error("{0}")]
    Refused(String),
}

impl From<OciDistributionError> for Answer {
    fn from(error: OciDistributionError) -> Self {
        match error {
            OciDistributionError::RegistryError { envelope, .. } => of_envelope(&envelope),
            OciDistributionError::UnauthorizedError { .. } => of_status(401, ""),
            OciDistributionError::AuthenticationFailure(why) => of_status(401, &why),
            OciDistributionError::ServerError { code, message, .. } => of_status(code, &message),
            OciDistributionError::RequestError(error) => match error.status() {
                Some(status) => of_status(status.as_u16(), ""),
                None if error.is_connect() || error.is_timeout() || error.is_request() => {
                    Self::Away(deepest(&error))
                }
                None => Self::Refused(deepest(&error)),
            },
            error => Self::Refused(deepest(&error)),
        }
    }
}

/// Returns what a list of errors says.
fn of_envelope(envelope: &OciEnvelope) -> Answer {
    let said = envelope.errors.iter().map(|error| match error.message.is_empty() {
        true => serde_json::to_value(&error.code)
            .ok()
            .and_then(|code| code.as_str().map(str::to_lowercase))
            .unwrap_or_default(),
        false => error.message.clone(),
    });
    let said = said.collect::<Vec<_>>().join("; ");
    match envelope.errors.first().map(|error| &error.code) {
        Some(
            OciErrorCode::ManifestUnknown | OciErrorCode::NameUnknown | OciErrorCode::NotFound,
        ) => Answer::Absent(said),
        Some(OciErrorCode::Unauthorized | OciErrorCode::Denied) => Answer::Denied(said),
        _ => Answer::Refused(said),
    }
}

/// Returns what a status says, and the text that came with it.
fn of_status(code: u16, text: &str) -> Answer {
    if let Ok(envelope) = serde_json::from_str::<OciEnvelope>(text) {
        return of_envelope(&envelope);
    }
    let text = text.lines().next().unwrap_or_default().trim();
    let or = |words: &str| if text.is_empty() { words.to_owned() } else { text.to_owned() };
    match code {
        401 => Answer::Denied(or("unauthorized: authentication required")),
        403 => Answer::Denied(or("denied")),
        404 => Answer::Absent(or("not found")),
        _ => Answer::Refused(or(&format!("it answers with the status {code}"))),
    }
}

/// Returns what is at the bottom of an error.
fn deepest(error: &dyn std::error::Error) -> String {
    let mut deepest = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    deepest.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(code: u16, text: &str, expected: Answer) {
        let message = text.to_owned();
        let error = OciDistributionError::ServerError { code, url: String::new(), message };
        assert_eq!(Answer::from(error), expected);
    }

    #[test]
    fn a_registry_is_told_in_its_own_words() {
        let unknown =
            r#"{"errors": [{"code": "MANIFEST_UNKNOWN", "message": "manifest unknown"}]}"#;
        check(404, unknown, Answer::Absent("manifest unknown".to_owned()));
        let denied = r#"{"errors": [{"code": "DENIED"}]}"#;
        check(403, denied, Answer::Denied("denied".to_owned()));
        let full =
            r#"{"errors": [{"code": "UNSUPPORTED", "message": "The operation is unsupported."}]}"#;
        check(405, full, Answer::Refused("The operation is unsupported.".to_owned()));
        check(401, "", Answer::Denied("unauthorized: authentication required".to_owned()));
        check(404, "<html>\n", Answer::Absent("<html>".to_owned()));
        check(502, "", Answer::Refused("it answers with the status 502".to_owned()));
    }
}
