//! Starts one container with a graphics processor, to see whether it gets there.

use std::collections::HashMap;
use std::time::Duration;

use bollard::container::LogOutput;
use bollard::models::{ContainerCreateBody, HostConfig};
use bollard::query_parameters::{ListImagesOptionsBuilder, LogsOptionsBuilder};
use futures_util::StreamExt;
use partita_core::stack::Component;
use tokio::time::timeout;

use super::attempt::gpu_help;
use super::config::DockerOrchestratorConfig;
use super::container::device_request;
use super::cuda;
use super::engine::{Engine, Trouble};
use super::preflight::{PreflightError, connect, read};
use super::stopping;
use crate::nvidia;

/// How long the container may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// What runs in it: it tells the names of the devices of graphics processors.
const LOOK: &str = "import os; print(*sorted(name for name in os.listdir('/dev') \
                    if name == 'dxg' or name.startswith('nvidia') and name[6:].isdigit()))";

/// Returns what a container of an orchestrator's image sees of graphics processors; of the latest one with the
/// label `built`, if images are built for its steps and it names none itself.
///
/// # Errors
/// If it sees none, and why where that is known.
pub fn probe(orchestrator: &Component, built: Option<&str>) -> Result<String, PreflightError> {
    let (config, endpoint) = read(orchestrator)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let engine = connect(&endpoint).await?;
        let looked = timeout(PATIENCE, look(&engine, &config, built)).await;
        let unfit = |why: String| PreflightError::Unfit(format!("`{}`: {why}", orchestrator.name));
        match looked {
            Ok(Ok(seen)) => Ok(format!("`{}`: {seen}", orchestrator.name)),
            Ok(Err(why)) => Err(unfit(why)),
            Err(_) => Err(unfit(format!("its container has not ended in {PATIENCE:?}"))),
        }
    })
}

/// Returns the latest image with a label.
async fn latest(engine: &Engine, label: &str) -> Result<String, String> {
    let filters = HashMap::from([("label", vec![label])]);
    let options = ListImagesOptionsBuilder::new().filters(&filters).build();
    let found = engine.docker.list_images(Some(options)).await.map_err(Trouble::from);
    let found = found.map_err(|trouble| trouble.to_string())?;
    let latest = found.into_iter().max_by_key(|image| image.created);
    latest.map(|image| image.id).ok_or_else(|| {
        "it names no `parent_image`, and no image is built yet to look in; make one with `partita build TARGET`"
            .to_owned()
    })
}

async fn look(
    engine: &Engine,
    config: &DockerOrchestratorConfig,
    built: Option<&str>,
) -> Result<String, String> {
    let image = &match (&config.parent_image, built) {
        (Some(image), _) => image.clone(),
        (None, Some(label)) => latest(engine, label).await?,
        (None, None) => {
            let why = "it has no `parent_image` to look in, and the stack no image builder; name one of the two";
            return Err(why.to_owned());
        }
    };
    let gpus = config.gpus();
    let Some(gpu) = gpus.first() else {
        return Err("it has no GPUs to give to steps; say which with `gpus`".to_owned());
    };
    let inspected = engine.docker.inspect_image(image).await.map_err(Trouble::from);
    let inspected = inspected.map_err(|trouble| format!("the image `{image}`: {trouble}"))?;
    let environment = inspected.config.and_then(|config| config.env).unwrap_or_default();
    let variables = cuda::variables(&environment);
    if let Some(unfit) = cuda::unfit(&variables, nvidia::driver().as_ref()) {
        return Err(format!("the image `{image}` {unfit}"));
    }
    let body = ContainerCreateBody {
        image: Some(image.clone()),
        entrypoint: Some(vec!["python".to_owned(), "-c".to_owned(), LOOK.to_owned()]),
        cmd: Some(Vec::new()),
        network_disabled: Some(true),
        host_config: Some(HostConfig {
            device_requests: Some(vec![device_request(std::slice::from_ref(gpu))]),
            runtime: config.settings.runtime.clone(),
            ..HostConfig::default()
        }),
        ..ContainerCreateBody::default()
    };
    let created = engine.docker.create_container(None, body).await.map_err(Trouble::from);
    let container = created.map_err(|trouble| trouble.to_string())?.id;
    let seen = seen(engine, &container).await;
    let _ = stopping::remove(engine, &container).await;
    match seen?.trim() {
        "" => Err(format!("a container of `{image}` that was given GPU {gpu} sees none")),
        seen => Ok(format!("a container of `{image}` that was given GPU {gpu} sees `{seen}`")),
    }
}

/// Starts a container and returns what it prints.
async fn seen(engine: &Engine, container: &str) -> Result<String, String> {
    let started = engine.docker.start_container(container, None).await.map_err(Trouble::from);
    started.map_err(|trouble| gpu_help(&trouble.to_string()))?;
    let options = LogsOptionsBuilder::new().follow(true).stdout(true).stderr(true).build();
    let mut logs = std::pin::pin!(engine.docker.logs(container, Some(options)));
    let (mut out, mut err) = (Vec::new(), Vec::new());
    while let Some(part) = logs.next().await {
        match part.map_err(|error| Trouble::from(error).to_string())? {
            LogOutput::StdErr { message } => err.extend_from_slice(&message),
            part => out.extend_from_slice(&part.into_bytes()),
        }
    }
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if err.is_empty() { Ok(text(&out)) } else { Err(text(&err)) }
}
