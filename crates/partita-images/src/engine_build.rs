//! The `docker` builder: the engine runs a Dockerfile that is made of settings.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::Path;

use bollard::query_parameters::BuildImageOptionsBuilder;
use futures_util::StreamExt;
use partita_core::settings::Docker;
use partita_engine::code;
use partita_orchestrators::docker::Trouble;
use tar::Builder;

use crate::builder::DockerImageBuilderConfig;
use crate::code::Code;
use crate::error::ImageError;
use crate::instructions::{Brings, COPY_CODE, COPY_OWN, Instructions};
use crate::layer::{self, Content, Files};
use crate::make::Task;
use crate::parent::Parent;
use crate::recipe::LABEL;
use crate::{said, transfer};

/// Where the engine finds the Dockerfile of an author, whatever else is copied.
const AUTHORS: &str = "partita.Dockerfile";
/// What tells the engine that neither that nor this is copied. What the author's says is left out already.
const IGNORE: &str = ".dockerignore";

/// How a build is asked for.
struct Asked<'a> {
    image: &'a str,
    dockerfile: &'a str,
    arguments: HashMap<String, String>,
    labels: HashMap<String, String>,
}

/// What the instructions of an image copy.
pub(crate) struct Source<'a> {
    requirements: String,
    own: Files,
    code: Option<&'a Code>,
}

impl<'a> Source<'a> {
    fn of(docker: &Docker, own: Files, code: Option<&'a Code>) -> Self {
        Self {
            requirements: docker.requirements.iter().map(|line| format!("{line}\n")).collect(),
            own,
            code,
        }
    }

    fn brings(&self) -> Brings {
        Brings { own: !self.own.is_empty(), code: self.code.is_some() }
    }

    /// Writes a build context: a Dockerfile, and what it copies.
    fn write(&self, dockerfile: &str, tar: &mut Builder<File>) -> io::Result<()> {
        let text = |text: String| Content::Bytes { bytes: text.into_bytes(), mode: layer::DATA };
        if dockerfile.contains(COPY_OWN) {
            layer::add_files(tar, &self.own, Path::new("own"))?;
        }
        if let Some(code) = self.code.filter(|_| dockerfile.contains(COPY_CODE)) {
            layer::add_files(tar, &code.files, Path::new("code"))?;
        }
        layer::add(tar, Path::new("requirements.txt"), &text(self.requirements.clone()))?;
        layer::add(tar, Path::new("Dockerfile"), &text(dockerfile.to_owned()))
    }
}

impl Task<'_> {
    /// Has the engine build the image that an author's Dockerfile makes; returns its name.
    pub(crate) async fn build_dockerfile(
        &self,
        config: &DockerImageBuilderConfig,
        docker: &Docker,
    ) -> Result<String, ImageError> {
        let image = dockerfile_image(docker);
        if !docker.prevent_build_reuse && self.place.keeper.has(&image).await? {
            return Ok(image);
        }
        let root = self.place.source_root;
        let path = root.join(docker.dockerfile.as_deref().unwrap_or_default());
        let context = docker.build_context_root.as_deref().unwrap_or_default();
        let ignore = docker.dockerignore.as_deref().map(Path::new);
        let mut tar = self.context()?;
        code::context_files(root, Path::new(context), ignore, &mut tar)?;
        let list = format!("{AUTHORS}\n{IGNORE}\n").into_bytes();
        let added = [
            (AUTHORS, Content::File(path.clone())),
            (IGNORE, Content::Bytes { bytes: list, mode: layer::DATA }),
        ];
        for (name, content) in added {
            let written = layer::add(&mut tar, Path::new(name), &content);
            written.map_err(|error| ImageError::system(&path, error))?;
        }
        let asked = Asked {
            image: &image,
            dockerfile: AUTHORS,
            arguments: HashMap::new(),
            labels: HashMap::from([(LABEL.to_owned(), "parent".to_owned())]),
        };
        self.run_build(config, docker, asked, tar).await?;
        Ok(image)
    }

    /// Has the engine build the image itself.
    pub(crate) async fn build_by_engine(
        &self,
        config: &DockerImageBuilderConfig,
        docker: &Docker,
        parent: &Parent,
        own: Files,
    ) -> Result<(), ImageError> {
        let source = Source::of(docker, own, self.place.code);
        let instructions = Instructions::of(docker, parent, source.brings());
        if !docker.cache_mounts.is_empty() {
            return self.build_in_parts(config, docker, parent, &source, instructions).await;
        }
        let text = instructions.dockerfile(&parent.name);
        self.build_text(config, docker, self.image, text, &instructions.arguments, &source).await
    }

    /// Has the engine build an image of a Dockerfile that was made here.
    pub(crate) async fn build_text(
        &self,
        config: &DockerImageBuilderConfig,
        docker: &Docker,
        image: &str,
        dockerfile: String,
        arguments: &HashMap<String, String>,
        source: &Source<'_>,
    ) -> Result<(), ImageError> {
        let mut tar = self.context()?;
        source
            .write(&dockerfile, &mut tar)
            .map_err(|error| ImageError::system(&self.place.cache, error))?;
        let mut labels = HashMap::new();
        if image == self.image {
            labels.insert(LABEL.to_owned(), self.tag.clone());
        }
        let is_declared = |name: &String| dockerfile.contains(&format!("ARG {name}\n"));
        let arguments = arguments.iter().filter(|(name, _)| is_declared(name));
        let arguments = arguments.map(|(name, value)| (name.clone(), value.clone())).collect();
        let asked = Asked { image, dockerfile: "Dockerfile", arguments, labels };
        self.run_build(config, docker, asked, tar).await
    }

    /// Returns what a build context is written to.
    fn context(&self) -> Result<Builder<File>, ImageError> {
        let file = tempfile::tempfile_in(&self.place.cache);
        file.map(Builder::new).map_err(|error| ImageError::system(&self.place.cache, error))
    }

    async fn run_build(
        &self,
        config: &DockerImageBuilderConfig,
        docker: &Docker,
        asked: Asked<'_>,
        tar: Builder<File>,
    ) -> Result<(), ImageError> {
        let written = |error| ImageError::system(&self.place.cache, error);
        let parts = tar.into_inner().and_then(transfer::parts).map_err(written)?;
        let body = bollard::body_try_stream(parts);
        let mut options = BuildImageOptionsBuilder::new()
            .dockerfile(asked.dockerfile)
            .t(asked.image)
            .buildargs(&asked.arguments)
            .labels(&asked.labels)
            .nocache(docker.prevent_build_reuse)
            .rm(true)
            .forcerm(true);
        if let Some(network) = &config.network {
            options = options.networkmode(network);
        }
        if let Some(earlier) = self.earlier.as_ref().filter(|_| asked.image == self.image) {
            // Builds that ran at once may have left several of the first layers.
            options = options.cachefrom(&vec![earlier]);
        }
        let who = transfer::all_credentials(self.place.registry.as_ref());
        let engine = &self.place.keeper.engine()?.docker;
        let mut told = std::pin::pin!(engine.build_image(options.build(), Some(who), Some(body)));
        let (mut output, mut failure) = (String::new(), None);
        while let Some(part) = told.next().await {
            match part {
                Ok(part) => output.extend(part.stream),
                Err(error) => failure = Some(Trouble::from(error)),
            }
        }
        let log = self.write_log(&output)?;
        match failure {
            None => Ok(()),
            Some(Trouble::Away(why)) => Err(ImageError::Away(why)),
            Some(trouble) => {
                let why = said::why(&output, &trouble.to_string(), &log);
                Err(ImageError::build(self.steps, why))
            }
        }
    }
}

/// Returns the name of what an author's Dockerfile makes.
pub(crate) fn dockerfile_image(docker: &Docker) -> String {
    let digest = docker.context.as_ref().map(crate::recipe::short);
    format!("partita-dockerfile:{}", digest.unwrap_or_default())
}
