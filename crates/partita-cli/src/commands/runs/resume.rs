//! `partita runs resume`: continues a run that did not complete.

use std::path::{Path, PathBuf};

use partita_cli::session::Session;
use partita_core::run::Target;
use partita_engine::metadata::RunSummary;
use partita_engine::store::{Documents, LeaseState};

use crate::context::Context;
use crate::error::CommandError;
use crate::program::Program;
use crate::python::{self, Interpreter, Request};

/// Continues a run; finished steps stay finished.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// A run's name, its id, the beginning of its id, or `latest`.
    #[arg(value_name = "RUN")]
    run: String,
    /// Run this step again, and what depends on it: a new run takes over the rest.
    #[arg(long = "from", value_name = "STEP")]
    from_step: Option<String>,
    /// Another value of a parameter: a new run takes over what it does not touch.
    #[arg(long = "param", short, value_name = "K=V")]
    parameters: Vec<String>,
}

pub(crate) fn run(args: Args, context: &Context) -> Result<(), CommandError> {
    let parameters = python::parameters(&args.parameters)?;
    let session = context.session()?;
    let run = session.home().with_runs(|runs| runs.find(&args.run))?;
    let target = target(&session, &run)?;
    if let Some(path) = &target.program {
        drop(session);
        let program = Program::again(path, target.source)?;
        let given = args.parameters.iter().map(|given| format!("--param={given}"));
        let from = args.from_step.map(|step| format!("--from={step}"));
        let words = given.chain(from).chain([format!("--run={}", run.id)]).collect();
        let folder = Some(Path::new(&target.source_root));
        return Err(program.become_program("resume", words, folder, context));
    }
    let request = Request {
        target: target.source,
        source_root: Some(target.source_root),
        parameters,
        run_id: Some(run.id),
        from_step: args.from_step,
        quiet: context.quiet,
        verbose: context.verbose,
        ..Request::default()
    };
    let interpreter = interpreter(target.interpreter, context)?;
    drop(session);
    Err(python::become_python(&interpreter, "resume", &request))
}

/// Returns how the run's code is loaded again, if the run can be resumed.
fn target(session: &Session, run: &RunSummary) -> Result<Target, CommandError> {
    let store = session.home().store_at(&run.store)?;
    if let LeaseState::Held(lease) = store.lease_state(&run.id)? {
        let by = lease
            .map(|lease| format!(" by process {} on `{}`", lease.pid, lease.host))
            .unwrap_or_default();
        return Err(CommandError::failed(format!(
            "run `{0}` is being driven{by}; wait for it, or end it with `partita runs cancel {0}`",
            run.name
        )));
    }
    let header = Documents::new(&*store).run_header(&run.id)?;
    let target = header.target.ok_or_else(|| {
        CommandError::failed(format!(
            "run `{}` was not started from a file, so its code cannot be loaded again; run its pipeline anew, and finished steps come from the cache",
            run.name
        ))
    })?;
    if !PathBuf::from(&target.source_root).is_dir() {
        return Err(CommandError::failed(format!(
            "the code of run `{}` was in `{}`, which is no longer there; bring the folder back and try again",
            run.name, target.source_root
        )));
    }
    Ok(target)
}

/// Returns the Python that ran the run, or the one of this shell if that is gone.
fn interpreter(recorded: String, context: &Context) -> Result<Interpreter, CommandError> {
    let path = PathBuf::from(recorded);
    if path.is_file() {
        return Ok(Interpreter {
            path,
            why: "the Python that the run was started with".to_owned(),
        });
    }
    let found = python::find()?;
    context.warn(&format!(
        "`{}`, which the run was started with, is gone; `{}` is used instead",
        path.display(),
        found.path.display()
    ));
    Ok(found)
}
