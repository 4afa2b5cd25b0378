//! One attempt from its launch to its end.

use std::sync::Arc;
use std::time::Duration;

use bollard::container::{AttachContainerResults, LogOutput};
use bollard::models::ContainerCreateBody;
use bollard::query_parameters::{
    AttachContainerOptionsBuilder, CreateContainerOptionsBuilder, LogsOptionsBuilder,
};
use futures_util::StreamExt;
use partita_core::launcher::{Attempt, Outcome, Reports};
use partita_engine::secrets::Handed;
use partita_engine::step_runner::LogStream;
use partita_engine::store::layout;
use tokio::io::AsyncWriteExt;
use tokio::time::Instant;

use super::container::{self, Place};
use super::ended::Ended;
use super::engine::Trouble;
use super::settings::DockerOrchestratorSettings;
use super::stopping::{self, Asked};
use super::supervisor::Setup;
use crate::output::Output;

/// Where an attempt begins.
pub(super) enum Begin {
    /// Its container is to be made, with these graphics processors, if there are any to hand out.
    Launch { gpus: Option<Vec<String>> },
    /// Its container was made by an engine before this one.
    Found,
}

/// An attempt whose container this engine looks after.
pub(super) struct Flight {
    setup: Arc<Setup>,
    attempt: Attempt,
    reports: Arc<dyn Reports>,
    container: String,
    begin: Begin,
    asked: Asked,
    output: Output,
    /// The bytes of each stream that its log has.
    taken: [u64; 2],
    /// Whether its container's engine was out of reach meanwhile.
    was_away: bool,
}

impl Flight {
    pub(super) fn new(
        setup: Arc<Setup>,
        attempt: Attempt,
        reports: Arc<dyn Reports>,
        begin: Begin,
        asked: Asked,
    ) -> Self {
        let limits = setup.config.log_limits();
        let output = Output::of(&attempt, &setup.context, Arc::clone(&setup.echo), limits);
        let container = container::name(&attempt);
        let (taken, was_away) = ([0, 0], false);
        Self { setup, attempt, reports, container, begin, asked, output, taken, was_away }
    }

    /// Sees the attempt to its end; `free` is called once nothing of it runs any more.
    pub(super) async fn run(mut self, free: impl FnOnce()) {
        let setup = Arc::clone(&self.setup);
        let (container, asked) = (self.container.clone(), self.asked.clone());
        let grace = Duration::try_from_secs_f64(setup.config.grace.0).unwrap_or_default();
        let stopping = stopping::attend(&setup.engine, &container, asked, grace);
        let ended = tokio::select! {
            ended = self.ended() => ended,
            () = stopping => Ended::Unknown("its container does not end".to_owned()),
        };
        free();
        let was_stopped = *self.asked.borrow() > 0;
        let is_good = ended.is_good();
        let outcome = ended.outcome(self.attempt.step(), was_stopped, self.was_away);
        self.output.finish();
        let is_kept = setup.config.remove.keeps(is_good);
        self.reports.ended(self.attempt.unit(), self.attempt.number, outcome);
        if !is_kept {
            // What stays is removed with the run.
            let _ = stopping::remove(&setup.engine, &container).await;
        }
    }

    /// Completes the log of an attempt whose container ended with nobody there; removes that, unless
    /// it is kept.
    pub(super) async fn tidy_up(mut self, is_kept: bool) {
        let _ = self.follow().await;
        self.output.finish();
        if !is_kept {
            let _ = stopping::remove(&self.setup.engine, &self.container).await;
        }
    }

    async fn ended(&mut self) -> Ended {
        if let Begin::Launch { gpus } = &self.begin {
            let gpus = gpus.clone();
            if let Err(ended) = self.start(gpus.as_deref()).await {
                return ended;
            }
        }
        loop {
            match self.watched().await {
                Ok(ended) => return ended,
                Err(why) => {
                    if let Err(ended) = self.wait_for_engine(&why).await {
                        return ended;
                    }
                }
            }
        }
    }

    /// Waits until the engine, which is out of reach, is there again.
    async fn wait_for_engine(&mut self, why: &str) -> Result<(), Ended> {
        self.was_away = true;
        let patience = self.setup.config.patience;
        let until = Instant::now() + Duration::try_from_secs_f64(patience.0).unwrap_or_default();
        self.setup.engine.back(until).await.ok_or_else(|| {
            let away = self.setup.engine.away(why);
            Ended::Unknown(format!(
                "{away}; that has lasted for {} (`patience` of the orchestrator), and the step may still run in the container `{}`",
                patience.in_words(),
                self.container
            ))
        })
    }

    /// Creates the container and starts it.
    async fn start(&mut self, gpus: Option<&[String]>) -> Result<(), Ended> {
        let not_started = Ended::NotStarted;
        let step = self.attempt.step();
        let built = self.setup.images.get(&step.name);
        let image = built.or(step.config.docker.parent_image.as_ref()).cloned().unwrap_or_default();
        let settings = self.setup.config.settings.with(&step.config.settings);
        let settings = settings.map_err(not_started)?;
        let context = &self.setup.context;
        let handed = Handed::to(std::slice::from_ref(step), context.secrets())
            .and_then(|handed| handed.map(|handed| handed.values()).transpose())
            .map_err(|error| not_started(format!("its secrets cannot be handed over: {error}")))?;
        let place = Place {
            context,
            engine: &self.setup.engine,
            settings: &settings,
            code: self.setup.code,
            commands: self.setup.commands.as_ref(),
            gpus,
            takes_secrets: handed.is_some(),
        };
        let body = place.body(&self.attempt, &image);
        self.create(&image, body, &settings).await?;
        if *self.asked.borrow() > 0 {
            return Err(not_started("it was cancelled before".to_owned()));
        }
        let input = match handed {
            Some(values) => Some((self.attach().await?, values)),
            None => None,
        };
        self.start_created(gpus).await?;
        if let Some((mut attached, values)) = input {
            let written = attached.input.write_all(&values).await;
            let written = written.and(attached.input.shutdown().await);
            written.map_err(|error| {
                not_started(format!("its secrets cannot be handed over: {error}"))
            })?;
        }
        if *self.asked.borrow() > 0 {
            // That was asked before there was anything to end.
            stopping::signal(&self.setup.engine, &self.container, "SIGTERM").await;
        }
        Ok(())
    }

    /// Creates the container, unless an earlier try did and only its answer was lost.
    async fn create(
        &mut self,
        image: &str,
        mut body: ContainerCreateBody,
        settings: &DockerOrchestratorSettings,
    ) -> Result<(), Ended> {
        loop {
            let options = CreateContainerOptionsBuilder::new().name(&self.container).build();
            let created = self.setup.engine.docker.create_container(Some(options), body.clone());
            match created.await.map_err(Trouble::from) {
                Ok(_) | Err(Trouble::Conflict(_)) => return Ok(()),
                Err(Trouble::NotFound(why)) if why.contains("No such image") => {
                    let endpoint = &self.setup.engine.endpoint;
                    return Err(Ended::NotStarted(format!(
                        "the engine at `{endpoint}` has no image `{image}`; pull or build it there"
                    )));
                }
                // Podman has one only where that is installed besides.
                Err(Trouble::Refused(why))
                    if why.contains("init") && settings.init.is_none() && has_init(&body) =>
                {
                    self.output.note(&format!(
                        "this step is the first process of its container, since the engine says: {why}"
                    ));
                    body.host_config.get_or_insert_default().init = Some(false);
                }
                Err(Trouble::Refused(why) | Trouble::NotFound(why)) => {
                    return Err(Ended::NotStarted(why));
                }
                Err(Trouble::Away(why)) => self.wait_for_engine(&why).await?,
            }
        }
    }

    /// Starts the container that was created.
    async fn start_created(&mut self, gpus: Option<&[String]>) -> Result<(), Ended> {
        loop {
            let started = self.setup.engine.docker.start_container(&self.container, None).await;
            match started.map_err(Trouble::from) {
                Ok(()) | Err(Trouble::Conflict(_)) => return Ok(()),
                Err(Trouble::Away(why)) => self.wait_for_engine(&why).await?,
                Err(Trouble::NotFound(why)) if why.contains("No such container") => {
                    return Err(Ended::Removed);
                }
                Err(trouble) => {
                    let why = trouble.to_string();
                    return Err(Ended::NotStarted(match gpus {
                        Some(gpus) if !gpus.is_empty() => gpu_help(&why),
                        _ => format!("{why}{}", help(&why)),
                    }));
                }
            }
        }
    }

    /// Attaches to the standard input of the container.
    async fn attach(&self) -> Result<AttachContainerResults, Ended> {
        let options = AttachContainerOptionsBuilder::new().stdin(true).stream(true).build();
        let attached = self.setup.engine.docker.attach_container(&self.container, Some(options));
        attached.await.map_err(Trouble::from).map_err(|trouble| {
            Ended::NotStarted(format!("its secrets cannot be handed over: {trouble}"))
        })
    }

    /// Follows the container to its end.
    ///
    /// # Errors
    /// Why its engine is out of reach.
    async fn watched(&mut self) -> Result<Ended, String> {
        loop {
            match self.follow().await {
                Ok(()) | Err(Trouble::NotFound(_)) => {}
                Err(Trouble::Away(why)) => return Err(why),
                Err(Trouble::Refused(why) | Trouble::Conflict(why)) => {
                    self.output.note(&format!("what this step prints cannot be read: {why}"));
                }
            }
            let docker = &self.setup.engine.docker;
            let mut waited = std::pin::pin!(docker.wait_container(&self.container, None));
            // That it ended badly is an error to the client, and told by its state as well.
            if let Some(Err(error)) = waited.next().await
                && let Trouble::Away(why) = Trouble::from(error)
            {
                return Err(why);
            }
            let inspected = docker.inspect_container(&self.container, None).await;
            match inspected.map_err(Trouble::from) {
                Ok(found) => {
                    if let Some(ended) = Ended::of(&found.state.unwrap_or_default()) {
                        return Ok(ended);
                    }
                }
                Err(Trouble::Away(why)) => return Err(why),
                Err(Trouble::NotFound(_)) => return Ok(Ended::Removed),
                Err(trouble) => return Ok(Ended::Unknown(trouble.to_string())),
            }
        }
    }

    /// Takes what the container prints until it has ended; what was taken before is passed over.
    async fn follow(&mut self) -> Result<(), Trouble> {
        let options = LogsOptionsBuilder::new().follow(true).stdout(true).stderr(true).build();
        let docker = self.setup.engine.docker.clone();
        let mut printed = std::pin::pin!(docker.logs(&self.container, Some(options)));
        let mut seen = [0, 0];
        while let Some(part) = printed.next().await {
            let (stream, message) = match part? {
                LogOutput::StdErr { message } => (LogStream::Stderr, message),
                LogOutput::StdOut { message }
                | LogOutput::StdIn { message }
                | LogOutput::Console { message } => (LogStream::Stdout, message),
            };
            self.take(stream, &message, &mut seen);
        }
        Ok(())
    }

    fn take(&mut self, stream: LogStream, message: &[u8], seen: &mut [u64; 2]) {
        let at = usize::from(stream == LogStream::Stderr);
        let known = usize::try_from(self.taken[at] - seen[at]).unwrap_or(usize::MAX);
        seen[at] += message.len() as u64;
        let Some(new) = message.get(known.min(message.len())..).filter(|new| !new.is_empty())
        else {
            return;
        };
        if self.taken == [0, 0] && matches!(self.begin, Begin::Found) {
            // The container tells all of it again.
            let (context, step) = (&self.setup.context, &self.attempt.step().name);
            let path = layout::log(&context.run_id, self.attempt.unit(), step, self.attempt.number);
            let _ = context.store.delete(&path);
        }
        self.taken[at] += new.len() as u64;
        self.output.take(stream, new);
    }
}

/// Returns whether a container is to have an `init` of the engine's.
fn has_init(body: &ContainerCreateBody) -> bool {
    body.host_config.as_ref().is_some_and(|host| host.init == Some(true))
}

/// Says why a container with graphics processors did not start.
pub(super) fn gpu_help(why: &str) -> String {
    format!("{why}; GPUs need NVIDIA's driver and its container toolkit where the engine runs")
}

/// Returns what to do about why a container did not start, where the engine does not say.
fn help(why: &str) -> &'static str {
    if why.contains("docker-init") {
        "; where the engine has no `init`, let that be false in the orchestrator's settings"
    } else if why.contains("\"python\"") {
        "; the image needs a `python` with Partita on its path"
    } else {
        ""
    }
}

/// Reports an attempt that nobody looks after, since the run is over.
pub(super) fn refuse(attempt: &Attempt, reports: &Arc<dyn Reports>) {
    reports.ended(attempt.unit(), attempt.number, Outcome::Cancelled);
}
