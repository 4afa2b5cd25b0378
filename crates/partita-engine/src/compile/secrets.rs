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
        let Some(capabilities) = capabilities else { continue };
        // That of a built-in flavor hands them over by itself.
        let Some(claims) = capabilities.claims else { continue };
        let why = why(claims).or(capabilities.images.then_some(IN_IMAGES));
        report.problems.extend(why.and_then(|why| refused(deployment, orchestrator, why)));
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
    report.problems.extend(why(claims).and_then(|why| refused(deployment, orchestrator, why)));
    report.unless_problems(())
}

/// Why an orchestrator's steps are handed no secrets, and what to do.
type Why = (&'static str, &'static str);

/// What is said of one whose steps run in images.
const IN_IMAGES: Why = (
    "runs steps in containers, which do not see the memory that values are handed over in",
    "let the step run on an orchestrator of flavor `docker`, `process` or `local`, with `@step(orchestrator=…)`, or find the value where it runs",
);

/// Returns why nobody hands secrets to steps of an orchestrator of which this is known.
fn why(claims: Claims) -> Option<Why> {
    match claims {
        Claims { is_remote: true, .. } => Some((
            "runs steps on other machines",
            "let the step run on an orchestrator of this machine, with `@step(orchestrator=…)`, or find the value where it runs",
        )),
        Claims { is_synchronous: false, .. } => Some((
            "is done before its steps begin, and secrets are handed over by an engine that is there",
            "let `is_synchronous` of its configuration be true, or take the secret out of the step",
        )),
        _ => None,
    }
}

fn refused(
    deployment: &Deployment,
    orchestrator: &Component,
    (because, help): Why,
) -> Option<Diagnostic> {
    let is_here = |step: &&Step| {
        let named = deployment.stack.orchestrator_named(step.config.orchestrator.as_deref());
        named.is_some_and(|named| named.name == orchestrator.name)
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
