//! The `native` builder: the layers of an image, written here.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use partita_core::digest::FieldHasher;
use partita_core::settings::{Docker, PackageInstaller};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::error::ImageError;
use crate::layer::{self, Content, Files};
use crate::make::Task;
use crate::own::{OwnPython, PACKAGES};
use crate::parent::{Parent, ParentPython};
use crate::recipe::{LABEL, LAYOUT, short};
use crate::{bytecode, code, said};

/// When images were made that are the same whenever they are.
const CREATED: &str = "1980-01-01T00:00:00Z";

/// A layer that was written.
pub(crate) struct Layer {
    pub(crate) digest: String,
    pub(crate) file: PathBuf,
}

impl Task<'_> {
    /// Writes the layers of the image and gives it to what keeps images.
    pub(crate) async fn build_by_hand(
        &self,
        docker: &Docker,
        parent: &Parent,
        python: Option<(&OwnPython, &ParentPython)>,
        own: Files,
    ) -> Result<(), ImageError> {
        let mut layers = Vec::new();
        if !docker.requirements.is_empty() {
            let Some((own, parent)) = python else {
                let why = "its requirements are for Python, and none of its steps is in Python";
                return Err(ImageError::build(self.steps, why));
            };
            layers.push(self.requirements(docker, own, parent).await?);
        }
        let folder = self.temporary()?;
        if !own.is_empty() {
            layers.push(written(own, folder.path().join("own.tar")).await?);
        }
        if let Some(code) = self.place.code {
            layers.push(written(code.files.clone(), folder.path().join("code.tar")).await?);
        }
        let config = config(docker, parent, &layers, self);
        self.place.keeper.take(self.image, &config, parent, &layers, self.steps).await
    }

    pub(crate) fn temporary(&self) -> Result<tempfile::TempDir, ImageError> {
        let work = self.place.work.path();
        tempfile::tempdir_in(work).map_err(|error| ImageError::system(work, error))
    }

    /// Returns the layer with the distributions that are asked for, which is kept for the next time.
    async fn requirements(
        &self,
        docker: &Docker,
        own: &OwnPython,
        parent: &ParentPython,
    ) -> Result<Layer, ImageError> {
        let file = self.place.cache.join(format!("requirements-{}.tar", key(docker, parent)));
        if docker.prevent_build_reuse || !file.exists() {
            let folder = self.temporary()?;
            let list = folder.path().join("requirements.txt");
            let lines: String =
                docker.requirements.iter().map(|line| format!("{line}\n")).collect();
            fs::write(&list, lines).map_err(|error| ImageError::system(&list, error))?;
            let target = folder.path().join("target");
            self.install(docker, own, &list, &target).await?;
            let written = |error| ImageError::system(&file, error);
            let mut files = installed(&target, &own.interpreter, parent).map_err(written)?;
            let compiled = bytecode::add(&mut files, own, &folder.path().join("bytecode")).await;
            compiled.map_err(written)?;
            let (from, to) = (folder.path().join("layer.tar"), file.clone());
            let layer = blocking(move || {
                layer::write(&files, File::create(&from)?)?;
                fs::rename(from, to)
            });
            layer.await.map_err(written)?;
        }
        let path = file.clone();
        let digest = blocking(move || layer::digest_of_file(&path)).await;
        let digest = digest.map_err(|error| ImageError::system(&file, error))?;
        Ok(Layer { digest, file })
    }

    async fn install(
        &self,
        docker: &Docker,
        own: &OwnPython,
        list: &Path,
        target: &Path,
    ) -> Result<(), ImageError> {
        let mut command = match docker.python_package_installer {
            PackageInstaller::Pip => {
                let mut command = Command::new(&own.interpreter);
                command.args(["-m", "pip", "install", "--no-compile", "--no-input"]);
                command.args(["--disable-pip-version-check", "--no-warn-script-location"]);
                command
            }
            PackageInstaller::Uv => {
                let beside = own.interpreter.with_file_name("uv");
                let uv = if beside.exists() { beside } else { PathBuf::from("uv") };
                let mut command = Command::new(uv);
                command.args(["pip", "install", "--link-mode=copy", "--python"]);
                command.arg(&own.interpreter);
                command
            }
        };
        command
            .arg("--target")
            .arg(target)
            .arg("--requirement")
            .arg(list)
            .envs(&docker.environment)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("SOURCE_DATE_EPOCH", layer::TIME.to_string())
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let program = command.as_std().get_program().to_string_lossy().into_owned();
        let ran = command.output().await.map_err(|error| {
            let help = match docker.python_package_installer {
                PackageInstaller::Uv => "; install it (`pip install uv`), or have `pip` install distributions: `python_package_installer=\"pip\"`",
                PackageInstaller::Pip => "",
            };
            ImageError::build(self.steps, format!("`{program}` cannot be started: {error}{help}"))
        })?;
        let output = [ran.stdout, ran.stderr].concat();
        let output = String::from_utf8_lossy(&output).into_owned();
        let log = self.write_log(&output)?;
        if ran.status.success() {
            return Ok(());
        }
        Err(ImageError::build(self.steps, said::why(&output, &ran.status.to_string(), &log)))
    }
}

/// Writes a layer.
async fn written(files: Files, file: PathBuf) -> Result<Layer, ImageError> {
    let path = file.clone();
    let digest = blocking(move || layer::write(&files, File::create(path)?)).await;
    let digest = digest.map_err(|error| ImageError::system(&file, error))?;
    Ok(Layer { digest, file })
}

/// Runs what takes its time, so that other images go on meanwhile.
pub(crate) async fn blocking<T: Send + 'static>(
    run: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(run).await.map_err(io::Error::other)?
}

/// Returns what a layer of requirements is kept under.
fn key(docker: &Docker, parent: &ParentPython) -> String {
    let mut hasher = FieldHasher::default();
    for line in &docker.requirements {
        hasher.field("line", line.as_bytes());
    }
    for (name, value) in &docker.environment {
        hasher.field("variable", name.as_bytes()).field("value", value.as_bytes());
    }
    let python = [&parent.version, &parent.executable, &parent.scripts];
    for text in python {
        hasher.field("python", text.as_bytes());
    }
    hasher.field("layout", &LAYOUT.to_le_bytes());
    hasher.field("installer", docker.python_package_installer.as_str().as_bytes());
    short(&hasher.finish())
}

/// Returns what was installed into a folder, as it is in the image: programs among those of its Python,
/// and begun with that.
fn installed(target: &Path, interpreter: &Path, parent: &ParentPython) -> io::Result<Files> {
    let mut files = Files::new();
    layer::add_folder(&mut files, target, Path::new(""))?;
    let scripts = Path::new(parent.scripts.trim_start_matches('/'));
    let at = |path: PathBuf| match path.strip_prefix("bin") {
        Ok(script) => scripts.join(script),
        Err(_) => Path::new(PACKAGES).join(path),
    };
    let content = |path: &Path, content: Content| -> io::Result<Content> {
        match content {
            Content::File(from) if path.starts_with("bin") => {
                let bytes = begun_with(fs::read(&from)?, interpreter, &parent.executable);
                Ok(Content::Bytes { bytes, mode: layer::PROGRAM })
            }
            content => Ok(content),
        }
    };
    files.into_iter().map(|(path, found)| Ok((at(path.clone()), content(&path, found)?))).collect()
}

/// Returns a program whose first lines name another interpreter.
fn begun_with(bytes: Vec<u8>, interpreter: &Path, other: &str) -> Vec<u8> {
    let own = interpreter.as_os_str().as_encoded_bytes();
    let end = bytes.len().min(512);
    match bytes[..end].windows(own.len().max(1)).position(|found| found == own) {
        Some(at) if bytes.starts_with(b"#!") => {
            [&bytes[..at], other.as_bytes(), &bytes[at + own.len()..]].concat()
        }
        _ => bytes,
    }
}

/// Returns the document that an image is.
fn config(docker: &Docker, parent: &Parent, layers: &[Layer], task: &Task<'_>) -> Value {
    let inspected = &parent.inspected;
    let mut config = begun(parent);
    let mut variables: BTreeMap<String, String> = BTreeMap::new();
    let of_parent = config["Env"].as_array().cloned().unwrap_or_default();
    for variable in of_parent.iter().filter_map(Value::as_str) {
        let (name, value) = variable.split_once('=').unwrap_or((variable, ""));
        variables.insert(name.to_owned(), value.to_owned());
    }
    variables.extend(docker.environment.clone());
    variables.extend(docker.runtime_environment.clone());
    if task.place.code.is_some() {
        variables.insert(code::VARIABLE.to_owned(), code::ROOT.to_owned());
        config["WorkingDir"] = json!(code::ROOT);
        // Whoever starts a container says what runs in it.
        config["Entrypoint"] = Value::Null;
        config["Cmd"] = Value::Null;
    }
    let variables = variables.into_iter().map(|(name, value)| format!("{name}={value}"));
    config["Env"] = variables.collect();
    if let Some(user) = &docker.user {
        config["User"] = json!(user);
    }
    let mut labels = config["Labels"].as_object().cloned().unwrap_or_default();
    labels.insert(LABEL.to_owned(), json!(task.tag));
    config["Labels"] = Value::Object(labels);
    let below = parent.layers();
    let history = |by: &str| json!({ "created": CREATED, "created_by": by });
    let all = below.iter().map(|_| "parent").chain(layers.iter().map(|_| "partita"));
    json!({
        "architecture": inspected.architecture,
        "os": inspected.os.as_deref().unwrap_or("linux"),
        "created": CREATED,
        "config": config,
        "rootfs": {
            "type": "layers",
            "diff_ids": below.iter().chain(layers.iter().map(|layer| &layer.digest)).collect::<Vec<_>>(),
        },
        "history": all.map(history).collect::<Vec<_>>(),
    })
}

/// Returns what a parent says of its containers, in one order: maps of it were read in any.
fn begun(parent: &Parent) -> Value {
    match serde_json::to_value(&parent.inspected.config).unwrap_or_default() {
        Value::Object(mut config) => {
            config.values_mut().for_each(Value::sort_all_objects);
            Value::Object(config)
        }
        _ => json!({}),
    }
}

#[cfg(test)]
mod tests {
    use bollard::models::ImageInspect;

    use super::*;

    #[test]
    fn what_an_image_says_is_the_same_bytes_in_whatever_order_its_parent_was_read() {
        let config = r#"{"Labels": {"a": "1", "b": "2", "c": "3", "d": "4", "e": "5"},
            "ExposedPorts": {"1/tcp": {}, "2/tcp": {}, "3/tcp": {}, "4/tcp": {}, "5/tcp": {}},
            "Volumes": {"/a": {}, "/b": {}, "/c": {}, "/d": {}, "/e": {}}}"#;
        let read = || {
            let inspected = ImageInspect {
                config: serde_json::from_str(config).unwrap(),
                ..ImageInspect::default()
            };
            let parent = Parent { name: String::new(), id: String::new(), inspected };
            begun(&parent).to_string()
        };
        let first = read();
        assert!((0..20).all(|_| read() == first), "{first}");
    }

    #[test]
    fn programs_are_begun_with_the_python_of_the_image() {
        let check = |text: &str, expected: &str| {
            let begun =
                begun_with(text.as_bytes().to_vec(), Path::new("/here/python"), "/usr/bin/python");
            assert_eq!(String::from_utf8(begun).unwrap(), expected);
        };
        check("#!/here/python\nimport six", "#!/usr/bin/python\nimport six");
        check(
            "#!/bin/sh\n'''exec' /here/python \"$0\"",
            "#!/bin/sh\n'''exec' /usr/bin/python \"$0\"",
        );
        check("#!/bin/sh\necho", "#!/bin/sh\necho");
        check("", "");
    }
}
