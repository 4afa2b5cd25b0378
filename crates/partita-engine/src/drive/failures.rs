//! The failures that the driver itself finds, in words.

use std::sync::Arc;
use std::time::Duration;

use partita_core::deployment::Deployment;
use partita_core::run::Failure;
use partita_core::settings::Span;

/// How long an attempt may take to end that was to end at once, after its grace.
pub(super) const LAST_GRACE: Duration = Duration::from_secs(5);

fn length(time: Duration) -> String {
    Span(time.as_secs_f64()).in_words()
}

/// An attempt took too long.
pub fn timed_out(timeout: Duration) -> Failure {
    Failure::ours(format!(
        "timed out after {}; raise the step's `timeout` if it needs longer",
        length(timeout)
    ))
}

/// An attempt took too long and did not end when it was asked to.
pub(super) fn never_confirmed(timeout: Duration, grace: Duration) -> Failure {
    Failure::ours(format!(
        "timed out after {} and did not end within {} of being cancelled; it may still run, so the \
         step is not retried: end it by hand, then resume the run",
        length(timeout),
        length(grace.saturating_add(LAST_GRACE))
    ))
}

/// A launcher says that an attempt completed, and the artifact store knows nothing of it.
pub(super) fn not_committed(deployment: &Deployment) -> Failure {
    Failure::ours(format!(
        "the orchestrator {} says that the attempt completed, but the step is not committed in the \
         artifact store; see whether the step ended its process by itself, as `os._exit` does, and \
         was started by its entrypoint and with this artifact store",
        orchestrator(deployment)
    ))
}

/// A backend does not start an attempt.
pub(super) fn refused(deployment: &Deployment, error: &str) -> Failure {
    Failure::ours(format!(
        "the orchestrator {} refused to start the attempt: {error}",
        orchestrator(deployment)
    ))
}

/// A backend could not be reached to start an attempt.
pub(super) fn unreachable(deployment: &Deployment, tries: u32, error: &str) -> Failure {
    Failure::ours(format!(
        "the orchestrator {} could not be reached to start the attempt, in {tries} tries: {error}",
        orchestrator(deployment)
    ))
}

/// A backend knows nothing of a job that it was given.
pub(super) fn unknown_job(deployment: &Deployment, error: &str) -> Failure {
    Failure::ours(format!(
        "the orchestrator {} cannot say how the attempt stands: {error}",
        orchestrator(deployment)
    ))
}

/// A backend could not be reached for long.
pub(super) fn silent(deployment: &Deployment, silence: Duration, error: &str) -> Failure {
    Failure::ours(format!(
        "the orchestrator {} could not be asked for {} how the attempt stands: {error}; it may \
         still run, so the step is not retried: resume the run when the backend can be reached",
        orchestrator(deployment),
        length(silence)
    ))
}

/// What is known of the failed items of a mapped step.
#[derive(Debug)]
pub(crate) struct FailedItems {
    /// The item that failed first.
    pub(crate) first: u32,
    /// Its last failure.
    pub(crate) failure: Arc<Failure>,
    /// How many have failed.
    pub(crate) count: u32,
}

impl FailedItems {
    /// Returns the failure of their step.
    pub(crate) fn failure(&self) -> Failure {
        let Self { first, failure, count } = self;
        let others = match count - 1 {
            0 => String::new(),
            1 => "; one more item failed".to_owned(),
            count => format!("; {count} more items failed"),
        };
        Failure {
            message: format!("item {first} failed: {}{others}", said(failure)),
            traceback: failure.traceback.clone(),
            exit_code: failure.exit_code,
            ..Failure::ours("")
        }
    }
}

/// Returns a failure in one paragraph.
fn said(failure: &Failure) -> String {
    let kind = if failure.kind == "partita" { "" } else { &failure.kind };
    let colon = if kind.is_empty() || failure.message.is_empty() { "" } else { ": " };
    format!("{kind}{colon}{}", failure.message)
}

fn orchestrator(deployment: &Deployment) -> String {
    let component = deployment.stack.orchestrator();
    component.map_or_else(|| "of the run".to_owned(), |component| format!("`{}`", component.name))
}

/// Returns what went wrong in a run, given its failed steps, or `None` if none failed.
pub(crate) fn summary(deployment: &Deployment, failed: &[(usize, Arc<Failure>)]) -> Option<String> {
    let (step, failure) = failed.first()?;
    let name = &deployment.steps[*step].name;
    let others = match failed.len() - 1 {
        0 => String::new(),
        1 => "; one more step failed".to_owned(),
        count => format!("; {count} more steps failed"),
    };
    Some(format!("the step `{name}` failed: {}{others}", said(failure)))
}
