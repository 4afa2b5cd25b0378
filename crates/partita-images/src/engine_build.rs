//! The `docker` builder: the engine runs a Dockerfile that is made of settings.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs::File;
use std::path::{Path, PathBuf};

use bollard::query_parameters::BuildImageOptionsBuilder;
use futures_util::StreamExt;
use partita_core::settings::{Docker, PackageInstaller};
use partita_engine::code;
use partita_orchestrators::docker::Trouble;
use tar::Builder;

use crate::builder::DockerImageBuilderConfig;
use crate::error::ImageError;
use crate::layer::{self, Content, Files};
use crate::make::Task;
use crate::parent::Parent;
use crate::{said, transfer};

/// Where the engine finds the Dockerfile of an author, whatever else is copied.
const AUTHORS: &str = "partita.Dockerfile";

/// How a build is asked for.
struct Asked<'a> {
    image: &'a str,
    dockerfile: &'a str,
    arguments: HashMap<String, String>,
    labels: HashMap<String, String>,
}

impl Task<'_> {
    /// Has the engine build the image that an author's Dockerfile makes; returns its name.
    pub(crate) async fn build_dockerfile(
        &self,
        config: &DockerImageBuilderConfig,
        docker: &Docker,
    ) -> Result<String, ImageError> {
        let image = dockerfile_image(docker);
        let is_there = Parent::there(&self.place.engine, &image).await?.is_some();
        if is_there && !docker.prevent_build_reuse {
            return Ok(image);
        }
        let root = self.place.source_root;
        let path = root.join(docker.dockerfile.as_deref().unwrap_or_default());
        let context = docker.build_context_root.as_deref().unwrap_or_default();
        let ignore = docker.dockerignore.as_deref().map(Path::new);
        let mut tar = self.context()?;
        code::context_files(root, Path::new(context), ignore, &mut tar)?;
        let written = layer::add(&mut tar, Path::new(AUTHORS), &Content::File(path.clone()));
        written.map_err(|error| ImageError::system(&path, error))?;
        let asked = Asked {
            image: &image,
            dockerfile: AUTHORS,
            arguments: HashMap::new(),
            labels: HashMap::new(),
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
        let (dockerfile, arguments) = dockerfile(docker, parent, !own.is_empty());
        let text = |text: String| Content::Bytes { bytes: text.into_bytes(), is_executable: false };
        let mut files = Files::new();
        files.insert(PathBuf::from("Dockerfile"), text(dockerfile));
        let lines = docker.requirements.iter().map(|line| format!("{line}\n")).collect();
        files.insert(PathBuf::from("requirements.txt"), text(lines));
        let mut tar = self.context()?;
        layer::add_files(&mut tar, &files, Path::new(""))
            .and_then(|()| layer::add_files(&mut tar, &own, Path::new("own")))
            .map_err(|error| ImageError::system(&self.place.cache, error))?;
        let labels = HashMap::from([("partita.recipe".to_owned(), self.tag.clone())]);
        let asked = Asked { image: self.image, dockerfile: "Dockerfile", arguments, labels };
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
        let who = transfer::all_credentials(self.place.registry.as_ref());
        let engine = &self.place.engine.docker;
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

/// Returns the text of the Dockerfile, and the values of its arguments: no word of an author is part
/// of the text where it would be read as anything else.
fn dockerfile(
    docker: &Docker,
    parent: &Parent,
    has_own: bool,
) -> (String, HashMap<String, String>) {
    let mut text = format!("FROM {}\n", parent.name);
    let mut arguments = HashMap::new();
    let mut variables = |text: &mut String, variables: &std::collections::BTreeMap<_, _>| {
        for (name, value) in variables {
            let argument = format!("partita_{}", arguments.len());
            let _ = write!(text, "ARG {argument}\nENV {name}=${argument}\n");
            arguments.insert(argument, String::clone(value));
        }
    };
    let user = parent.inspected.config.as_ref().and_then(|config| config.user.clone());
    // By its number: an image need not know names.
    text.push_str("USER 0\n");
    variables(&mut text, &docker.environment);
    if !docker.apt_packages.is_empty() {
        let packages: Vec<String> =
            docker.apt_packages.iter().map(|package| in_shell(package)).collect();
        let _ = writeln!(
            text,
            "RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends {} && rm -rf /var/lib/apt/lists/*",
            packages.join(" ")
        );
    }
    if !docker.requirements.is_empty() {
        text.push_str("COPY requirements.txt /opt/partita/requirements.txt\n");
        text.push_str(match docker.python_package_installer {
            PackageInstaller::Pip => PIP,
            PackageInstaller::Uv => UV,
        });
    }
    if has_own {
        text.push_str("COPY own/ /\n");
    }
    variables(&mut text, &docker.runtime_environment);
    if let Some(user) = docker.user.clone().or(user).filter(|user| !user.is_empty()) {
        let _ = writeln!(text, "USER {user}");
    }
    (text, arguments)
}

const PIP: &str = r#"RUN ["python", "-m", "pip", "install", "--no-cache-dir", "--no-input", "--disable-pip-version-check", "--requirement", "/opt/partita/requirements.txt"]
"#;

const UV: &str = r#"RUN ["python", "-m", "pip", "install", "--no-cache-dir", "--no-input", "--disable-pip-version-check", "uv"]
RUN ["python", "-m", "uv", "pip", "install", "--no-cache", "--system", "--break-system-packages", "--requirement", "/opt/partita/requirements.txt"]
"#;

/// Returns a word as a shell reads it.
fn in_shell(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use bollard::models::{ImageConfig, ImageInspect};

    use super::*;

    #[test]
    fn settings_become_a_dockerfile_that_no_value_can_break_out_of() {
        let parent = Parent {
            name: "python:3.11-slim".to_owned(),
            id: "sha256:a".to_owned(),
            inspected: ImageInspect {
                config: Some(ImageConfig {
                    user: Some("app".to_owned()),
                    ..ImageConfig::default()
                }),
                ..ImageInspect::default()
            },
        };
        let value = "a \"b\" $C\nRUN evil";
        let docker = Docker {
            environment: BTreeMap::from([("Mixed_case".to_owned(), value.to_owned())]),
            apt_packages: vec!["git".to_owned(), "a'; evil".to_owned()],
            requirements: vec!["six".to_owned()],
            ..Docker::default()
        };
        let (text, arguments) = dockerfile(&docker, &parent, true);
        let expected = format!(
            "FROM python:3.11-slim\nUSER 0\nARG partita_0\nENV Mixed_case=$partita_0\n\
             RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install --yes \
             --no-install-recommends 'git' 'a'\\''; evil' && rm -rf /var/lib/apt/lists/*\n\
             COPY requirements.txt /opt/partita/requirements.txt\n{PIP}COPY own/ /\nUSER app\n"
        );
        assert_eq!(text, expected);
        assert_eq!(arguments["partita_0"], value);
    }
}
