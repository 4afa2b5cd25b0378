//! `partita doctor`: checks that everything here works.

mod engine;
mod gpu;
mod registry;

use std::collections::HashSet;
use std::path::Path;

use nix::sys::statvfs::statvfs;
use partita_cli::table::Table;
use partita_cli::{places, session::Session, size};
use partita_core::status::RunStatus;
use partita_engine::metadata::RunFilter;
use partita_engine::store::Documents;
use serde::Serialize;

use crate::context::{Context, Output};
use crate::error::{CommandError, FAILED};
use crate::python;

/// Checks that everything here works.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Check the GPUs as well: the driver, and what steps of the active stack get of them.
    #[arg(long)]
    gpu: bool,
    #[command(flatten)]
    output: Output,
}

/// The name of the check of the active stack's artifact store.
const STORE: &str = "artifact store";

/// Bytes below which the disk is called nearly full.
const LITTLE_ROOM: u64 = 1 << 30;

/// How a check went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Ok,
    Warning,
    Problem,
}

/// A check, as the JSON shows it.
#[derive(Serialize)]
struct Check {
    name: &'static str,
    verdict: Verdict,
    message: String,
    help: Option<String>,
}

impl Check {
    fn ok(name: &'static str, message: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Ok, message: message.into(), help: None }
    }

    fn warning(name: &'static str, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Warning, message: message.into(), help: Some(help.into()) }
    }

    fn of(name: &'static str, checked: Result<String, CommandError>) -> Self {
        match checked {
            Ok(message) => Self::ok(name, message),
            Err(CommandError::Failed { message, help, .. }) => {
                Self { name, verdict: Verdict::Problem, message, help }
            }
            Err(_) => Self {
                name,
                verdict: Verdict::Problem,
                message: "it cannot be checked".to_owned(),
                help: None,
            },
        }
    }
}

pub(crate) fn run(args: Args, context: &Context) -> Result<(), CommandError> {
    let checks = checks(context, args.gpu);
    context.show(args.output.output, &checks, || table(&checks))?;
    let has_problem = checks.iter().any(|check| check.verdict == Verdict::Problem);
    if has_problem { Err(CommandError::Told(FAILED)) } else { Ok(()) }
}

fn table(checks: &[Check]) -> String {
    let mut table = Table::new(["check", "verdict", "what"]);
    for check in checks {
        let verdict = match check.verdict {
            Verdict::Ok => "ok",
            Verdict::Warning => "warning",
            Verdict::Problem => "problem",
        };
        let help = check.help.as_ref().map(|help| format!("; {help}")).unwrap_or_default();
        table.row([check.name.to_owned(), verdict.to_owned(), format!("{}{help}", check.message)]);
    }
    table.to_text()
}

fn checks(context: &Context, with_gpus: bool) -> Vec<Check> {
    let session = context.session();
    let mut checks = Vec::new();
    match session {
        Ok(session) => {
            checks.push(Check::of("home", writable(session.home().path())));
            checks.push(Check::ok(
                "metadata store",
                "its database has the version that this Partita knows",
            ));
            checks.push(Check::of("stack", stack(&session)));
            checks.extend(engine::checks(&session));
            checks.push(artifact_store(&session).unwrap_or_else(|e| Check::of(STORE, Err(e))));
            checks.push(room(session.home().path()));
            checks.push(interrupted(&session));
            checks.extend(registry::checks(&session));
            if with_gpus {
                checks.extend(gpu::checks(&session));
            }
        }
        Err(error) => checks.push(Check::of("home", Err(error))),
    }
    checks.push(source_root(context));
    checks.push(python_check());
    checks
}

/// Checks that a folder can be written to, by doing so.
fn writable(folder: &Path) -> Result<String, CommandError> {
    let probe = folder.join(format!(".doctor-{}", std::process::id()));
    std::fs::write(&probe, b"").and_then(|()| std::fs::remove_file(&probe)).map_err(|error| {
        CommandError::failed(format!("`{}` cannot be written to: {error}", folder.display())).help(
            format!("make it writable, or set `{}` to a folder that is", places::HOME_VARIABLE),
        )
    })?;
    Ok(format!("`{}`", folder.display()))
}

fn stack(session: &Session) -> Result<String, CommandError> {
    let stack = session.stack(None)?;
    session.capabilities(&stack)?;
    let orchestrator =
        stack.orchestrator().map(|component| component.name.as_str()).unwrap_or_default();
    Ok(format!("`{}` is active, with the orchestrator `{orchestrator}`", stack.name))
}

fn artifact_store(session: &Session) -> Result<Check, CommandError> {
    let store = session.artifact_store(&session.stack(None)?)?;
    let documents = Documents::new(&*store);
    let ids = documents.run_ids()?;
    let known: HashSet<String> = session
        .home()
        .with_runs(|runs| runs.list(&RunFilter::default()))?
        .into_iter()
        .map(|run| run.id)
        .collect();
    // What is left of a deleted run has no header.
    let is_lost = |id: &&String| !known.contains(*id) && documents.run_header(id).is_ok();
    let (held, lost) = (ids.len(), ids.iter().filter(is_lost).count());
    let holds = format!("`{}` holds {}", store.uri(), counted(held));
    if lost == 0 {
        return Ok(Check::ok(STORE, holds));
    }
    let message = format!("{holds}, and the database does not know {lost} of them");
    Ok(Check::warning(STORE, message, "`partita store rebuild` brings them back"))
}

fn counted(runs: usize) -> String {
    if runs == 1 { "1 run".to_owned() } else { format!("{runs} runs") }
}

fn room(folder: &Path) -> Check {
    const NAME: &str = "disk";
    let Ok(disk) = statvfs(folder) else {
        return Check::warning(NAME, "its room cannot be found out", "see that it is there");
    };
    let free = disk.blocks_available() * disk.fragment_size();
    let left = format!("{} are left", size::short(free));
    if free < LITTLE_ROOM {
        return Check::warning(NAME, left, "`partita store gc --cache` removes what no run needs");
    }
    Check::ok(NAME, left)
}

fn interrupted(session: &Session) -> Check {
    const NAME: &str = "runs";
    let filter = RunFilter { status: Some(RunStatus::Interrupted), ..RunFilter::default() };
    match session.home().with_runs(|runs| runs.list(&filter)) {
        Err(error) => Check::of(NAME, Err(error.into())),
        Ok(runs) => match runs.first() {
            None => Check::ok(NAME, "none is interrupted"),
            Some(latest) => {
                let name = partita_cli::terminal::shell_word(&latest.name);
                let help = format!(
                    "`partita runs resume {name}` continues the latest, `partita runs delete` removes one"
                );
                let are = if runs.len() == 1 { "is" } else { "are" };
                Check::warning(NAME, format!("{} {are} interrupted", runs.len()), help)
            }
        },
    }
}

fn source_root(context: &Context) -> Check {
    const NAME: &str = "source root";
    match context.folder().map(|folder| places::source_root(&folder)) {
        Ok(Some(root)) => Check::ok(NAME, format!("`{}`", root.display())),
        Ok(None) => Check::warning(
            NAME,
            "no folder from here up is marked",
            "`partita init` marks this one",
        ),
        Err(error) => Check::of(NAME, Err(error)),
    }
}

fn python_check() -> Check {
    let checked = python::find().and_then(|interpreter| {
        interpreter.check_package()?;
        let version = interpreter.package_version()?;
        Ok((interpreter, version))
    });
    const NAME: &str = "python";
    let own = env!("CARGO_PKG_VERSION");
    match checked {
        Ok((interpreter, Some(version))) if version != own => Check::warning(
            NAME,
            format!(
                "`{}` has partita {version}, and this command is {own}",
                interpreter.path.display()
            ),
            "install the same version of both",
        ),
        Ok((interpreter, version)) => {
            let version = version.map(|version| format!(" {version}")).unwrap_or_default();
            Check::ok(
                NAME,
                format!("`{}` ({}), partita{version}", interpreter.path.display(), interpreter.why),
            )
        }
        Err(error) => Check::of(NAME, Err(error)),
    }
}
