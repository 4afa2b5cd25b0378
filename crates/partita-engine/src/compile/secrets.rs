//! Refuses secrets of steps that nobody could hand over.

use partita_core::deployment::{Deployment, Step};
use partita_core::diagnostic::{Diagnostic, Report};
use partita_core::secret;
use partita_core::stack::{Claims, Component};

use super::CompileRequest;
use super::messages::quoted;

/// Checks the secrets of steps against what is known of their orchestrators.
///
/// # Errors
/// Those that cannot be handed over.
pub(super) fn check(deployment: &Deployment, request: &CompileRequest) -> Result<(), Report> {
    let mut report = Report::default();
    for orchestrator in &deployment.stack.orchestrators {
        let capabilities = match deployment.stack.orchestrator() {
            Some(default) if default.name == orchestrator.name => Some(&request.capabilities),
            _ => request.other_capabilities.get(&orchestrator.name),
        };
        if let Some(claims) = capabilities.and_then(|capabilities| capabilities.claims) {
            report.problems.extend(refused(deployment, orchestrator, claims));
        }
    }
    report.unless_problems(())
}

/// Checks that the secrets of an orchestrator's steps can be handed over, as far as that hangs on
/// what its flavor says of its configuration.
///
/// # Errors
/// If they cannot.
pub fn check_secrets(
    deployment: &Deployment,
    orchestrator: &Component,
    claims: Claims,
) -> Result<(), Report> {
    let mut report = Report::default();
    report.problems.extend(refused(deployment, orchestrator, claims));
    report.unless_problems(())
}

fn refused(
    deployment: &Deployment,
    orchestrator: &Component,
    claims: Claims,
) -> Option<Diagnostic> {
    let is_here = |step: &&Step| {
        let named = deployment.stack.orchestrator_named(step.config.orchestrator.as_deref());
        named.is_some_and(|named| named.name == orchestrator.name)
    };
    let (because, help) = match claims {
        Claims { is_remote: true, .. } => (
            "runs steps on other machines",
            "let the step run on an orchestrator of this machine, with `@step(orchestrator=…)`, or find the value where it runs",
        ),
        Claims { is_synchronous: false, .. } => (
            "is done before its steps begin, and secrets are handed over by an engine that is there",
            "let `is_synchronous` of its configuration be true, or take the secret out of the step",
        ),
        _ => return None,
    };
    let (step, reference) = (deployment.steps.iter().filter(is_here))
        .find_map(|step| Some((step, secret::taken_by(step).pop_first()?)))?;
    let what = format!(
        "step {} takes the secret `{reference}`, which cannot be handed to it: orchestrator {} {because}",
        quoted(&step.name),
        quoted(&orchestrator.name)
    );
    Some(Diagnostic::new(what).help(help))
}
