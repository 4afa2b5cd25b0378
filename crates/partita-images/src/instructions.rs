//! The instructions of a Dockerfile that is made of settings.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

use partita_core::settings::{Docker, PackageInstaller};

use crate::code::{ROOT, VARIABLE};
use crate::parent::Parent;
use crate::recipe::LABEL;

/// The file with the requirements, in the image.
const REQUIREMENTS: &str = "/opt/partita/requirements.txt";

/// What brings the files of the running Partita.
pub(crate) const COPY_OWN: &str = "COPY own/ /\n";

/// What brings the author's code.
pub(crate) const COPY_CODE: &str = "COPY code/ /\n";

/// What an image has besides what settings say.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Brings {
    /// The running Partita.
    pub(crate) own: bool,
    /// The author's code.
    pub(crate) code: bool,
}

/// One of them, or several that run nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Instruction {
    /// Their lines.
    Text(String),
    /// A command that is run.
    Run(Vec<String>),
}

/// What follows `FROM`, and the values of its arguments: no word of an author is part of the text where
/// it would be read as anything else.
#[derive(Debug, Default)]
pub(crate) struct Instructions {
    pub(crate) list: Vec<Instruction>,
    pub(crate) arguments: HashMap<String, String>,
}

impl Instructions {
    /// Returns those that make an image of its parent.
    pub(crate) fn of(docker: &Docker, parent: &Parent, brings: Brings) -> Self {
        let mut made = Self::default();
        // By its number: an image need not know names.
        // The label is that of every part, so that what a failed build leaves is found by it.
        made.text(&format!("LABEL {LABEL}=part\nUSER 0\n"));
        made.variables(&docker.environment);
        if !docker.apt_packages.is_empty() {
            made.run(&["/bin/sh", "-c", &apt(docker)]);
        }
        if !docker.requirements.is_empty() {
            made.text(&format!("COPY requirements.txt {REQUIREMENTS}\n"));
            made.install(docker);
        }
        if brings.own {
            made.text(COPY_OWN);
        }
        made.variables(&docker.runtime_environment);
        if brings.code {
            // Whoever starts a container says what runs in it.
            made.text("ENTRYPOINT []\nCMD []\n");
            // Last, since it changes most often.
            made.text(&format!("ENV {VARIABLE}={ROOT}\nWORKDIR {ROOT}\n{COPY_CODE}"));
        }
        let user = parent.inspected.config.as_ref().and_then(|config| config.user.clone());
        if let Some(user) = docker.user.clone().or(user).filter(|user| !user.is_empty()) {
            made.text(&format!("USER {user}\n"));
        }
        made
    }

    /// Returns them as a Dockerfile, on top of an image.
    pub(crate) fn dockerfile(&self, from: &str) -> String {
        let mut text = format!("FROM {from}\n");
        for instruction in &self.list {
            match instruction {
                Instruction::Text(lines) => text.push_str(lines),
                Instruction::Run(command) => {
                    let words = serde_json::to_string(command).unwrap_or_default();
                    let _ = writeln!(text, "RUN {words}");
                }
            }
        }
        text
    }

    fn text(&mut self, lines: &str) {
        self.list.push(Instruction::Text(lines.to_owned()));
    }

    fn run(&mut self, command: &[&str]) {
        self.list.push(Instruction::Run(command.iter().map(|&word| word.to_owned()).collect()));
    }

    fn variables(&mut self, variables: &BTreeMap<String, String>) {
        for (name, value) in variables {
            let argument = format!("partita_{}", self.arguments.len());
            self.text(&format!("ARG {argument}\nENV {name}=${argument}\n"));
            self.arguments.insert(argument, value.clone());
        }
    }

    /// Adds what installs distributions; what was fetched is kept where builds share it, and not in the image.
    fn install(&mut self, docker: &Docker) {
        let is_kept = !docker.cache_mounts.is_empty();
        let with = |words: &[&'static str], without_cache: &'static str| {
            let mut words = words.to_vec();
            if !is_kept {
                words.push(without_cache);
            }
            words
        };
        let pip = ["python", "-m", "pip", "install", "--no-input", "--disable-pip-version-check"];
        let mut pip = with(&pip, "--no-cache-dir");
        match docker.python_package_installer {
            PackageInstaller::Pip => {
                pip.extend(["--requirement", REQUIREMENTS]);
                self.run(&pip);
            }
            PackageInstaller::Uv => {
                pip.push("uv");
                self.run(&pip);
                let uv = ["python", "-m", "uv", "pip", "install", "--compile-bytecode"];
                let mut uv = with(&uv, "--no-cache");
                uv.extend(["--system", "--break-system-packages", "--requirement", REQUIREMENTS]);
                self.run(&uv);
            }
        }
    }
}

/// Returns what installs packages of Debian, for a shell.
fn apt(docker: &Docker) -> String {
    let packages: Vec<String> =
        docker.apt_packages.iter().map(|package| in_shell(package)).collect();
    format!(
        "apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends {} && rm -rf /var/lib/apt/lists/*",
        packages.join(" ")
    )
}

/// Returns a word as a shell reads it.
fn in_shell(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use bollard::models::{ImageConfig, ImageInspect};

    use super::*;

    fn parent() -> Parent {
        let config = ImageConfig { user: Some("app".to_owned()), ..ImageConfig::default() };
        Parent {
            name: "python:3.11-slim".to_owned(),
            id: "sha256:a".to_owned(),
            inspected: ImageInspect { config: Some(config), ..ImageInspect::default() },
        }
    }

    #[test]
    fn settings_become_a_dockerfile_that_no_value_can_break_out_of() {
        let value = "a \"b\" $C\nRUN evil";
        let docker = Docker {
            environment: BTreeMap::from([("Mixed_case".to_owned(), value.to_owned())]),
            apt_packages: vec!["git".to_owned(), "a'; evil".to_owned()],
            requirements: vec!["six".to_owned()],
            ..Docker::default()
        };
        let made = Instructions::of(&docker, &parent(), Brings { own: true, code: true });
        let expected = r#"FROM python:3.11-slim
LABEL partita.recipe=part
USER 0
ARG partita_0
ENV Mixed_case=$partita_0
RUN ["/bin/sh","-c","apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends 'git' 'a'\\''; evil' && rm -rf /var/lib/apt/lists/*"]
COPY requirements.txt /opt/partita/requirements.txt
RUN ["python","-m","pip","install","--no-input","--disable-pip-version-check","--no-cache-dir","--requirement","/opt/partita/requirements.txt"]
COPY own/ /
ENTRYPOINT []
CMD []
ENV PARTITA_SOURCE_ROOT=/opt/partita/code
WORKDIR /opt/partita/code
COPY code/ /
USER app
"#;
        assert_eq!(made.dockerfile("python:3.11-slim"), expected);
        assert_eq!(made.arguments["partita_0"], value);
    }

    #[test]
    fn what_was_fetched_is_kept_where_builds_share_it() {
        let docker = Docker {
            requirements: vec!["six".to_owned()],
            cache_mounts: vec!["/root/.cache".to_owned()],
            python_package_installer: PackageInstaller::Uv,
            ..Docker::default()
        };
        let text = Instructions::of(&docker, &parent(), Brings::default()).dockerfile("a");
        assert!(!text.contains("--no-cache"), "{text}");
    }
}
