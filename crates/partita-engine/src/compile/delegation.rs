//! Checks what an orchestrator is asked that goes through the steps by itself: no engine supplies it
//! there.

use partita_core::deployment::{Deployment, Step};
use partita_core::diagnostic::{Diagnostic, Report};
use partita_core::settings::FailureMode;
use partita_core::stack::{Capabilities, Delegates};

use super::messages::{listed, quoted};

const HELP: &str = "take the request away, or use an orchestrator whose steps an engine launches";

/// Checks what a pipeline asks of the stack's default orchestrator if that goes through the steps by
/// itself.
///
/// # Errors
/// Everything that nobody would keep to.
pub fn check_delegation(
    deployment: &Deployment,
    capabilities: &Capabilities,
) -> Result<(), Report> {
    let Some(orchestrator) = deployment.stack.orchestrator() else { return Ok(()) };
    let mut report = Report::default();
    let name = quoted(&orchestrator.name);
    let because = format!("orchestrator {name} goes through the steps by itself");
    let mut ask = |what: &str, asks: &dyn Fn(&Step) -> bool| {
        let steps: Vec<&str> =
            deployment.steps.iter().filter(|step| asks(step)).map(|step| &*step.name).collect();
        if !steps.is_empty() {
            let (noun, verb) = if steps.len() == 1 { ("step", "asks") } else { ("steps", "ask") };
            let what = format!(
                "{noun} {} {verb} for {what}, which nobody keeps to, since {because}",
                listed(&steps)
            );
            report.push(Diagnostic::new(what).help(HELP));
        }
    };
    ask("limits", &|step| !step.config.limits.is_empty());
    ask("another orchestrator", &|step| step.config.orchestrator.is_some());
    if deployment.pipeline.failure_mode == FailureMode::ContinueOnFailure
        && capabilities.delegates != Delegates::Throughout
    {
        let what = format!(
            "pipeline {} asks for `continue_on_failure`, and {because} and does not say that it goes on with other steps when one has failed",
            quoted(&deployment.pipeline.name)
        );
        report.push(Diagnostic::new(what).help(HELP));
    }
    report.unless_problems(())
}
