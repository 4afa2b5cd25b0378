//! Commands of a build that share folders with other builds. These are volumes of the engine, which are in
//! no image; its own build knows none without BuildKit, so that each command runs in a container, and
//! what that leaves is what the next part is built on.

use std::collections::HashMap;

use bollard::container::LogOutput;
use bollard::models::{
    ContainerConfig, ContainerCreateBody, HostConfig, Mount, MountType, MountVolumeOptions,
};
use bollard::query_parameters::{
    CommitContainerOptionsBuilder, CreateContainerOptionsBuilder, LogsOptionsBuilder,
    RemoveImageOptions,
};
use futures_util::StreamExt;
use partita_core::digest::Digest;
use partita_core::settings::Docker;
use partita_orchestrators::docker::{Engine, Trouble};

use crate::builder::DockerImageBuilderConfig;
use crate::engine_build::Source;
use crate::error::ImageError;
use crate::instructions::{Instruction, Instructions};
use crate::make::{Task, containers_of};
use crate::on_engine::remove;
use crate::parent::Parent;
use crate::recipe::short;
use crate::said;

/// What the volumes are labelled with.
const LABEL: &str = "partita.cache";

/// What the names of images begin with that are parts of one which is being made.
const PARTS: &str = "partita-part";

impl Task<'_> {
    /// Builds an image part by part, with what its commands share mounted.
    pub(crate) async fn build_in_parts(
        &self,
        config: &DockerImageBuilderConfig,
        docker: &Docker,
        parent: &Parent,
        source: &Source<'_>,
        instructions: Instructions,
    ) -> Result<(), ImageError> {
        let mut made = Vec::new();
        let built = self.parts(config, docker, parent, source, instructions, &mut made).await;
        remove_parts(self.place.keeper.engine()?, &made).await;
        built
    }

    async fn parts(
        &self,
        config: &DockerImageBuilderConfig,
        docker: &Docker,
        parent: &Parent,
        source: &Source<'_>,
        instructions: Instructions,
        made: &mut Vec<String>,
    ) -> Result<(), ImageError> {
        let Instructions { list, arguments } = instructions;
        let mut from = parent.name.clone();
        let mut text = String::new();
        let begun = |from: &str, text: &str| format!("FROM {from}\n{text}");
        for instruction in list {
            let command = match instruction {
                Instruction::Text(more) => {
                    text.push_str(&more);
                    continue;
                }
                Instruction::Run(command) => command,
            };
            let mut next = || {
                let part = format!("{PARTS}:{}-{}", self.tag, made.len());
                made.push(part.clone());
                self.place.parts.borrow_mut().push(part.clone());
                part
            };
            if !text.is_empty() {
                let part = next();
                let whole = begun(&from, &std::mem::take(&mut text));
                self.build_text(config, docker, &part, whole, &arguments, source).await?;
                from = part;
            }
            let part = next();
            self.run(config, docker, &command, &from, &part).await?;
            from = part;
        }
        // Containers are begun otherwise while it is made.
        if self.place.code.is_none() {
            text.push_str(&begins(parent));
        }
        let whole = begun(&from, &text);
        self.build_text(config, docker, self.image, whole, &arguments, source).await
    }

    /// Runs a command in a container, and keeps what that leaves as an image.
    async fn run(
        &self,
        config: &DockerImageBuilderConfig,
        docker: &Docker,
        command: &[String],
        from: &str,
        into: &str,
    ) -> Result<(), ImageError> {
        let engine = self.place.keeper.engine()?;
        let told = |trouble: Trouble| ImageError::engine(self.steps, trouble);
        let body = ContainerCreateBody {
            image: Some(from.to_owned()),
            entrypoint: Some(command.to_vec()),
            cmd: Some(Vec::new()),
            host_config: Some(HostConfig {
                mounts: Some(docker.cache_mounts.iter().map(|folder| volume(folder)).collect()),
                network_mode: config.network.clone(),
                ..HostConfig::default()
            }),
            ..ContainerCreateBody::default()
        };
        let containers = containers_of(&self.place.work.id);
        let name = format!("{containers}-{}", into.replace(':', "-"));
        let options = CreateContainerOptionsBuilder::new().name(&name).build();
        let created =
            engine.docker.create_container(Some(options), body).await.map_err(Trouble::from);
        let container = created.map_err(told)?.id;
        let ran = self.run_in(&container, into).await;
        remove(engine, &container).await;
        ran
    }

    async fn run_in(&self, container: &str, into: &str) -> Result<(), ImageError> {
        let engine = self.place.keeper.engine()?;
        let told = |trouble: Trouble| ImageError::engine(self.steps, trouble);
        let (output, code) = ended(engine, container).await.map_err(told)?;
        let log = self.write_log(&output)?;
        if code != 0 {
            let why = said::why(&output, &format!("exit code {code}"), &log);
            return Err(ImageError::build(self.steps, why));
        }
        let (repository, tag) = into.split_once(':').unwrap_or((into, "latest"));
        let options = CommitContainerOptionsBuilder::new()
            .container(container)
            .repo(repository)
            .tag(tag)
            .build();
        let kept = engine.docker.commit_container(options, ContainerConfig::default()).await;
        kept.map(drop).map_err(|error| told(Trouble::from(error)))
    }
}

/// Removes the names of parts; what an image is made of stays with that.
pub(crate) async fn remove_parts(engine: &Engine, parts: &[String]) {
    for part in parts {
        let options = None::<RemoveImageOptions>;
        let _ = engine.docker.remove_image(part, options, None).await;
    }
}

/// Returns the end of a Dockerfile that has containers begun as in the parent.
fn begins(parent: &Parent) -> String {
    let config = parent.inspected.config.as_ref();
    let words = |words: Option<&Vec<String>>| {
        serde_json::to_string(words.map_or(&[][..], Vec::as_slice)).unwrap_or_default()
    };
    let entrypoint = words(config.and_then(|config| config.entrypoint.as_ref()));
    let command = words(config.and_then(|config| config.cmd.as_ref()));
    format!("ENTRYPOINT {entrypoint}\nCMD {command}\n")
}

/// Returns the volume that is a folder of all builds.
fn volume(folder: &str) -> Mount {
    let labels = HashMap::from([(LABEL.to_owned(), folder.to_owned())]);
    Mount {
        typ: Some(MountType::VOLUME),
        source: Some(format!("partita-cache-{}", short(&Digest::of(folder.as_bytes())))),
        target: Some(folder.to_owned()),
        volume_options: Some(MountVolumeOptions {
            labels: Some(labels),
            ..MountVolumeOptions::default()
        }),
        ..Mount::default()
    }
}

/// Runs a container to its end; returns what it printed, and its exit code.
async fn ended(engine: &Engine, container: &str) -> Result<(String, i64), Trouble> {
    engine.docker.start_container(container, None).await?;
    let options = LogsOptionsBuilder::new().follow(true).stdout(true).stderr(true).build();
    let mut printed = std::pin::pin!(engine.docker.logs(container, Some(options)));
    let mut output = Vec::new();
    while let Some(part) = printed.next().await {
        output.extend(LogOutput::into_bytes(part?));
    }
    let state = engine.docker.inspect_container(container, None).await?.state;
    let code = state.and_then(|state| state.exit_code).unwrap_or_default();
    Ok((String::from_utf8_lossy(&output).into_owned(), code))
}
