//! Which steps share an image.

use partita_core::deployment::Step;
use partita_core::settings::Docker;
use partita_orchestrators::docker;

use crate::make::Request;

/// Steps that share an image.
pub(crate) struct Group {
    pub(crate) docker: Docker,
    pub(crate) steps: Vec<String>,
    /// Whether they take its Python.
    pub(crate) is_python: bool,
}

impl Group {
    pub(crate) fn in_words(&self) -> String {
        let noun = if self.steps.len() == 1 { "step" } else { "steps" };
        format!("{noun} `{}`", self.steps.join("`, `"))
    }
}

/// Returns the steps of an orchestrator whose images are built, those of one image together.
pub(crate) fn groups(request: &Request<'_>) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let steps = request.deployment.steps_on(&request.orchestrator.name);
    for step in steps.filter(|step| step.config.docker.is_built()) {
        let docker = &step.config.docker;
        let is_python = needs_python(request, step);
        match groups.iter_mut().find(|group| group.docker == *docker) {
            Some(group) => {
                group.is_python |= is_python;
                group.steps.push(step.name.clone());
            }
            None => groups.push(Group {
                docker: docker.clone(),
                steps: vec![step.name.clone()],
                is_python,
            }),
        }
    }
    groups
}

/// Returns whether a step's image needs Python. Commands need none where they are entered without it, but
/// to install distributions with.
fn needs_python(request: &Request<'_>, step: &Step) -> bool {
    let is_command = request.orchestrator.flavor == docker::NAME
        && request.deployment.is_mere_command(step)
        && step.config.docker.requirements.is_empty();
    request.deployment.program_of(step).is_none() && !is_command
}
