//! Checks that steps can have graphics processors: the driver, and each orchestrator of the active stack.

use partita_cli::session::Session;
use partita_core::stack::Component;
use partita_orchestrators::docker;
use partita_orchestrators::nvidia::{self, Driver};

use super::Check;
use crate::error::CommandError;

const DRIVER: &str = "gpu driver";
const ORCHESTRATOR: &str = "gpus of steps";

/// Returns the check of the driver, and one for each orchestrator.
pub(super) fn checks(session: &Session) -> Vec<Check> {
    let mut checks = vec![Check::of(DRIVER, driver())];
    match session.stack(None) {
        Ok(stack) => {
            let built = stack.image_builder.as_ref().map(|_| partita_images::LABEL);
            checks.extend(stack.orchestrators.iter().map(|one| orchestrator(one, built)));
        }
        Err(error) => checks.push(Check::of(ORCHESTRATOR, Err(error.into()))),
    }
    checks
}

fn driver() -> Result<String, CommandError> {
    let Some(driver) = nvidia::driver() else {
        return Err(CommandError::failed("no driver of NVIDIA is seen on this machine").help(
            "install it, so that `nvidia-smi` tells of it; steps that ask for GPUs are refused without",
        ));
    };
    Ok(format!("{}; {}", driver.in_words(), drives(&driver)))
}

fn drives(driver: &Driver) -> String {
    let gpus = driver.gpus.iter().map(|gpu| match gpu.memory.as_str() {
        "" => gpu.name.clone(),
        memory => format!("{} ({memory})", gpu.name),
    });
    let gpus: Vec<String> = gpus.collect();
    match gpus.as_slice() {
        [] => "what it drives is not known without `nvidia-smi`".to_owned(),
        gpus => format!("it drives {}", gpus.join(", ")),
    }
}

/// Checks what steps get on an orchestrator; of those in containers, by starting one. `built` is the label of
/// images that are built for these.
fn orchestrator(orchestrator: &Component, built: Option<&str>) -> Check {
    let name = &orchestrator.name;
    if orchestrator.flavor == docker::NAME {
        let probed = docker::probe(orchestrator, built);
        return Check::of(
            ORCHESTRATOR,
            probed.map_err(|error| CommandError::failed(error.to_string())),
        );
    }
    let able = partita_orchestrators::capabilities(orchestrator);
    match able.map(|able| able.map(|able| able.gpus)) {
        Some(Ok(Some(count))) if count > 0 => {
            Check::ok(ORCHESTRATOR, format!("`{name}` has {count} to give"))
        }
        Some(Ok(None)) => {
            Check::ok(ORCHESTRATOR, format!("`{name}` gives as many as are asked for"))
        }
        Some(Ok(Some(_))) => Check::warning(
            ORCHESTRATOR,
            format!("`{name}` (flavor `{}`) has none to give", orchestrator.flavor),
            "have steps that ask for GPUs name another orchestrator of the stack",
        ),
        Some(Err(reason)) => Check::of(ORCHESTRATOR, Err(CommandError::failed(reason))),
        None => Check::ok(ORCHESTRATOR, format!("`{name}` says itself what it gives")),
    }
}
