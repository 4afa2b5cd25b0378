//! The flavor `makefile`: it delegates, by writing a pipeline as a Makefile that `make` runs.
//!
//! ```sh
//! partita orchestrator flavor register ../../target/debug/makefile-orchestrator
//! ```

use std::collections::HashMap;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode, Stdio};

use partita::plugin::{
    BaseOrchestrator, BaseOrchestratorConfig, BaseOrchestratorFlavor, Delegates, Environment,
    PipelineDeploymentResponseModel, Result, Run, Stack, Supply, serve,
};
use schemars::JsonSchema;
use serde::Deserialize;

/// How `make` is called.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct MakefileConfig {
    /// Steps that run at once, at most.
    #[serde(default = "four")]
    #[schemars(range(min = 1))]
    jobs: u32,
    /// Whether runs are submitted, so that nobody waits for `make`.
    #[serde(default)]
    submit: bool,
}

fn four() -> u32 {
    4
}

impl BaseOrchestratorConfig for MakefileConfig {
    fn is_synchronous(&self) -> bool {
        !self.submit
    }
}

struct MakefileFlavor;

impl BaseOrchestratorFlavor for MakefileFlavor {
    type Config = MakefileConfig;
    type Implementation = Makefile;

    fn name(&self) -> &str {
        "makefile"
    }

    fn description(&self) -> &str {
        "Compiles a pipeline into a Makefile, and has `make` run it."
    }

    fn supply(&self) -> Supply {
        // `make --keep-going` goes on with what does not depend on a step that failed.
        Supply { delegates: Delegates::Throughout, ..Supply::default() }
    }
}

struct Makefile {
    run: Run,
    config: MakefileConfig,
}

impl BaseOrchestrator for Makefile {
    type Config = MakefileConfig;

    fn new(run: Run, config: MakefileConfig) -> Result<Self> {
        Ok(Self { run, config })
    }

    fn run(&self) -> &Run {
        &self.run
    }

    /// Runs or submits a pipeline, and returns its Makefile.
    fn prepare_or_run_pipeline(
        &self,
        deployment: &PipelineDeploymentResponseModel,
        _stack: &Stack,
        environment: &Environment,
    ) -> Result<Option<String>> {
        let makefile = self.makefile(deployment)?;
        let mut make = Command::new("make");
        make.args(["--keep-going", &format!("--jobs={}", self.config.jobs), "--file=-"]);
        if self.config.submit {
            // It outlives this process, which is ended with its group; a queue's `submit` would
            // stand here.
            make.process_group(0).stdout(Stdio::null()).stderr(Stdio::null());
        }
        let mut child = make.envs(environment).stdin(Stdio::piped()).spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(makefile.as_bytes())?;
        }
        if !self.config.submit {
            child.wait()?; // Whatever fails has its record, which the state of the step is read from.
        }
        Ok(Some(makefile))
    }
}

impl Makefile {
    /// Returns one target a step, with the steps that it needs as its prerequisites.
    fn makefile(&self, deployment: &PipelineDeploymentResponseModel) -> Result<String> {
        let targets: HashMap<&str, String> = deployment
            .steps
            .keys()
            .enumerate()
            .map(|(index, name)| (name.as_str(), format!("step-{index}")))
            .collect();
        let all: Vec<&str> = deployment.steps.keys().map(|name| &*targets[name.as_str()]).collect();
        let mut text = format!(".PHONY: all {0}\n\nall: {0}\n", all.join(" "));
        for (name, step) in &deployment.steps {
            let upstream = step.spec.upstream_steps.iter();
            let needs: Vec<&str> = upstream.map(|name| &*targets[name.as_str()]).collect();
            let words = self.get_step_entrypoint(step)?;
            let line: Vec<String> = words.iter().map(|word| quoted(word)).collect();
            text += &format!(
                "\n{}: {}\n\t@{}\n",
                targets[name.as_str()],
                needs.join(" "),
                line.join(" ")
            );
        }
        Ok(text)
    }
}

/// Returns a word as a shell that `make` starts has to be given it.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''").replace('$', "$$"))
}

fn main() -> ExitCode {
    serve(MakefileFlavor)
}
