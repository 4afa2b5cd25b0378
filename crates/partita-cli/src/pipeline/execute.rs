//! Runs a pipeline to its end: the engine on a thread of its own, the author's code on this one.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::fd::RawFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nix::unistd::{close, dup2_stderr, dup2_stdout};
use partita_core::status::RunStatus;
use partita_engine::cache::ResumedFrom;
use partita_engine::drive::Observer;
use partita_engine::limits::HomeLimits;
use partita_engine::runs::{self, Executed, LiveRun, NewRun};
use partita_engine::secrets::Secrets;
use partita_engine::step_runner::RunContext;
use partita_engine::store::Hold;
use partita_orchestrators::local::{self, LocalLauncher, LocalSteps};
use partita_orchestrators::output::Echo;

use super::echo::TerminalEcho;
use super::prepare::Prepared;
use super::{Error, PythonPath, Request, launchers};
use crate::progress::Progress;

/// A run as whoever calls its steps in this process sees it.
pub struct Attended<'a> {
    /// The steps that are to be called here, as they come, until the run is over.
    pub steps: &'a LocalSteps,
    /// The run.
    pub context: &'a Arc<RunContext>,
    /// Its name.
    pub run_name: &'a str,
    /// Whether pickles of its artifact store may be loaded.
    pub trusts_pickles: bool,
    /// What is drawn on the terminal.
    pub progress: &'a Arc<Progress>,
    /// Cancels it.
    pub cancel: &'a Arc<Cancel>,
}

/// How a run ended.
pub struct Ended<R> {
    /// The run's id.
    pub run_id: String,
    /// How.
    pub status: RunStatus,
    /// What went wrong, in one paragraph.
    pub error: Option<String>,
    /// The steps that failed.
    pub failed: Vec<String>,
    /// What the person who began it should know besides.
    pub warning: Option<String>,
    /// What was returned by whoever called the steps.
    pub attended: R,
}

/// Compiles a pipeline and runs it to its end; `attend` calls the steps that run in this process, on
/// this thread. What is `held` is not collected before the run has begun.
///
/// # Errors
/// If it cannot be compiled, begun or ended.
pub fn run<R>(
    request: Request,
    python: &PythonPath,
    held: Option<Hold>,
    attend: impl FnOnce(&Attended<'_>) -> R,
) -> Result<Ended<R>, Error> {
    begin(Prepared::of(request)?, None, python, held, attend)
}

/// Begins a new run and executes it; what is held until then is given back once it has begun.
pub(super) fn begin<R>(
    mut prepared: Prepared,
    resumed_from: Option<ResumedFrom>,
    python: &PythonPath,
    held: impl Sized,
    attend: impl FnOnce(&Attended<'_>) -> R,
) -> Result<Ended<R>, Error> {
    prepared.check(python)?;
    let new = NewRun {
        deployment: Arc::new(prepared.compiled.deployment.clone()),
        name: prepared.compiled.run_name.take(),
        target: prepared.target.take(),
        user: std::env::var("USER").ok(),
        resumed_from,
    };
    let secrets = prepared.secrets()?;
    let metadata = Arc::clone(prepared.session.home().metadata());
    let live = LiveRun::begin(new, Arc::clone(&prepared.store), metadata)?;
    drop(held);
    if let Some(channel) = prepared.detach {
        detach(&live.header().name, channel)?;
    }
    execute(live, &prepared, secrets, python, attend)
}

/// Tells whoever started this process what its run is called, and leaves the terminal.
fn detach(name: &str, channel: RawFd) -> std::io::Result<()> {
    let told = OpenOptions::new().write(true).open(format!("/dev/fd/{channel}"));
    writeln!(told?, "{name}")?;
    close(channel)?;
    let nowhere = OpenOptions::new().write(true).open("/dev/null")?;
    dup2_stdout(&nowhere)?;
    dup2_stderr(&nowhere)?;
    Ok(())
}

/// Executes a run that has begun.
pub(super) fn execute<R>(
    live: LiveRun,
    prepared: &Prepared,
    secrets: Option<Secrets>,
    python: &PythonPath,
    attend: impl FnOnce(&Attended<'_>) -> R,
) -> Result<Ended<R>, Error> {
    let context = Arc::clone(live.context());
    if let Some(secrets) = secrets {
        context.give_secrets(secrets);
    }
    let header = live.header().clone();
    let progress = Arc::new(Progress::new(&live, prepared.style));
    let trusts_pickles = prepared.session.home().trusts_pickles(&prepared.stack.artifact_store)?;
    let (local, steps) = local::open()?;
    let cancel = Arc::new(Cancel::default());
    let (executed, attended) = std::thread::scope(|scope| {
        let (progress, cancel) = (&progress, &cancel);
        let engine = scope.spawn(move || {
            let engine = Engine { prepared, python, progress, local: &local, cancel };
            let _end = End(&local);
            engine.execute(live)
        });
        let attended = attend(&Attended {
            steps: &steps,
            context: &context,
            run_name: &header.name,
            trusts_pickles,
            progress,
            cancel,
        });
        (engine.join(), attended)
    });
    let Executed { outcome, index_error } = executed.map_err(|_| Error::Stopped)??;
    let step = |(step, _): &(usize, _)| context.deployment.steps[*step].name.clone();
    Ok(Ended {
        run_id: header.id,
        status: outcome.status,
        failed: outcome.failed.iter().map(step).collect(),
        error: outcome.error,
        warning: index_error.map(|error| {
            format!(
                "the index lacks part of this run, until somebody looks at the run and there is room for it: {error}"
            )
        }),
        attended,
    })
}

/// What brings a run to its end, on a thread of its own.
pub(super) struct Engine<'a> {
    pub(super) prepared: &'a Prepared,
    pub(super) python: &'a PythonPath,
    pub(super) progress: &'a Arc<Progress>,
    pub(super) local: &'a LocalLauncher,
    pub(super) cancel: &'a Cancel,
}

impl Engine<'_> {
    /// Hands a run over to an orchestrator that takes the whole of it, or else drives it. By its end no
    /// process of the run is left that this started.
    fn execute(&self, live: LiveRun) -> Result<Executed, Error> {
        let deployment = &live.context().deployment;
        let locals = self.prepared.stack.orchestrators.iter();
        let mut locals = locals.filter(|orchestrator| orchestrator.flavor == local::NAME);
        let has_own = locals.any(|local| deployment.steps_on(&local.name).next().is_some());
        let echo = Arc::new(TerminalEcho::new(self.progress, has_own));
        let shown: Arc<dyn Echo> = Arc::clone(&echo) as _;
        match self.opened(&live, &shown) {
            Some(delegate) => Ok(self.hand_over(live, delegate)?),
            None => self.drive(live, echo, shown),
        }
    }

    fn drive(
        &self,
        live: LiveRun,
        echo: Arc<TerminalEcho>,
        shown: Arc<dyn Echo>,
    ) -> Result<Executed, Error> {
        let Self { prepared, python, .. } = self;
        let (launchers, step_observer) =
            launchers::open(prepared, &live, self.local, python, shown)?;
        let capabilities = &prepared.all_capabilities()[..];
        let folder = prepared.session.home().path().join("limits");
        let limits =
            &HomeLimits::new(folder, Arc::clone(&live.context().deployment), &live.header().name);
        let place = runs::Place { launcher: &launchers, capabilities, limits };
        let observers: [&dyn Observer; 2] = [&*echo, &step_observer];
        Ok(live.execute(place, &observers, |run| self.cancel.reaches(move || run.cancel()))?)
    }
}

/// Tells the main thread, when it is dropped, that a run is over.
struct End<'a>(&'a LocalLauncher);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// Cancels a run, whoever has it at the time.
#[derive(Default)]
pub struct Cancel(Mutex<Asked>);

#[derive(Default)]
struct Asked {
    times: usize,
    run: Option<Arc<dyn Fn() + Send + Sync>>,
}

impl Cancel {
    /// Asks for the end of the run. Who asks once more is impatient.
    pub fn cancel(&self) {
        let mut asked = self.asked();
        asked.times += 1;
        if let Some(run) = asked.run.clone() {
            drop(asked);
            run();
        }
    }

    /// Returns whether it was asked for.
    pub fn is_asked(&self) -> bool {
        self.asked().times > 0
    }

    /// Has `run` be called whenever it is asked for, and for each time that it was.
    pub(super) fn reaches(&self, run: impl Fn() + Send + Sync + 'static) {
        let run = Arc::new(run);
        let mut asked = self.asked();
        asked.run = Some(Arc::clone(&run) as _);
        let times = asked.times;
        drop(asked);
        (0..times).for_each(|_| run());
    }

    fn asked(&self) -> MutexGuard<'_, Asked> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
