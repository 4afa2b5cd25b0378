//! Makes what a document says of a step's image of the options: files that these name are read.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use partita_core::diagnostic::Location;
use partita_core::digest::Digest;
use partita_core::settings::Docker;
use partita_core::stack::Component;

use super::ImageBuilderLimits;
use super::cache_files::{FileDigests, Refused};
use super::docker::BuiltOf;
use super::messages::quoted;
use super::options::{Options, Placed};
use super::requirements;
use crate::code;

/// Why a step cannot have the image that it asks for.
pub(super) struct RefusedImage<'o> {
    /// What is asked, as in "step `a` asks for …".
    pub(super) asked: String,
    pub(super) because: String,
    pub(super) help: &'static str,
    pub(super) location: Option<&'o Location>,
}

/// Why no images are built for the steps of an orchestrator.
pub(super) struct Unbuilt {
    because: String,
    help: &'static str,
}

/// Returns why no images are built for an orchestrator; `uses` says whether its steps run in images.
pub(super) fn unbuilt(orchestrator: &Component, uses: bool) -> Unbuilt {
    let (name, flavor) = (quoted(&orchestrator.name), quoted(&orchestrator.flavor));
    let of = format!("orchestrator {name} (flavor {flavor})");
    match uses {
        true => Unbuilt {
            because: format!(
                "is built for {of} if the stack names an image builder, which it does not"
            ),
            help: "name one with `partita stack update STACK -i NAME`; or build the image by yourself, name it as `parent_image`, and say `skip_build=True`",
        },
        false => Unbuilt {
            because: format!(
                "{of} does not use, since its flavor does not say that steps run in images"
            ),
            help: "take it away, or use an orchestrator that runs steps in images; the flavor of one says so with `Supply(images=True)`",
        },
    }
}

/// Returns why a step cannot have the image that it asks for, if so; `unbuilt` says why none are built
/// for its orchestrator, if that is so.
pub(super) fn refused<'o>(
    options: &'o Options,
    builder: &ImageBuilderLimits,
    unbuilt: Option<Unbuilt>,
) -> Option<RefusedImage<'o>> {
    let image = options.parent_image.as_ref();
    let skip_build = options.skip_build.as_ref().filter(|placed| placed.value);
    let mut asked_of = options.built.iter().filter(|(_, placed)| placed.value.is_something());
    let of_key = |(key, placed): (&&'static str, &'o Placed<BuiltOf>), because: String, help| {
        let asked = format!("{} of an image", quoted(key));
        RefusedImage { asked, because, help, location: placed.location.as_ref() }
    };
    if let Some(Unbuilt { because, help }) = unbuilt {
        if let Some(asked) = asked_of.next() {
            return Some(of_key(asked, because, help));
        }
        if let (Some(image), None) = (image, skip_build) {
            return Some(RefusedImage {
                asked: format!("an image on top of {}", quoted(&image.value)),
                because,
                help,
                location: image.location.as_ref(),
            });
        }
    }
    if let Some(skip_build) = skip_build {
        if let Some(asked) = asked_of.next() {
            let because = "needs one to be built, while `skip_build` says that none is".to_owned();
            return Some(of_key(asked, because, "take one of the two away"));
        }
        return image.is_none().then(|| RefusedImage {
            asked: "an image that is there".to_owned(),
            because: "has no name".to_owned(),
            help: "name the image as `parent_image`",
            location: skip_build.location.as_ref(),
        });
    }
    let cannot = |key: &str| builder.refused.get(key).copied();
    if let Some((asked, why)) = asked_of.find_map(|asked| Some((asked, cannot(asked.0)?))) {
        let because = format!("the image builder {} cannot honour: {why}", quoted(&builder.name));
        let help =
            "take it away, or use another image builder: `partita stack update STACK -i NAME`";
        return Some(of_key(asked, because, help));
    }
    match (image, options.built.get("dockerfile")) {
        (Some(image), Some(_)) => Some(RefusedImage {
            asked: format!("both a `dockerfile` and {}", quoted(&image.value)),
            because: "cannot both be what its image is built on".to_owned(),
            help: "name the image in the Dockerfile's `FROM`",
            location: image.location.as_ref(),
        }),
        _ => None,
    }
}

/// Returns the image of this interpreter, in which steps run that name none.
pub(super) fn of_interpreter(interpreter: &str) -> String {
    let version = interpreter.rsplit('-').next().unwrap_or_default();
    let is_in_version = |c: &char| c.is_ascii_digit() || *c == '.';
    let version: String = version.chars().take_while(is_in_version).collect();
    match version.is_empty() {
        true => "python:slim".to_owned(),
        false => format!("python:{version}-slim"),
    }
}

/// Makes them, and reads each file once.
pub(super) struct ImageMaker<'a> {
    source_root: &'a Path,
    site_packages: &'a [PathBuf],
    lines: HashMap<(&'static str, String), Result<Vec<String>, Refused>>,
    contexts: HashMap<Context, Result<Digest, Refused>>,
}

/// A Dockerfile, the folder that it may copy from, and the list of what of that it may not.
type Context = (String, String, Option<String>);

/// What is wrong with a key.
pub(super) type Problem = (&'static str, Refused);

impl<'a> ImageMaker<'a> {
    pub(super) fn new(source_root: &'a Path, site_packages: &'a [PathBuf]) -> Self {
        let (lines, contexts) = (HashMap::new(), HashMap::new());
        Self { source_root, site_packages, lines, contexts }
    }

    /// Returns the image that options ask for.
    ///
    /// # Errors
    /// The key that is wrong, and why.
    pub(super) fn make(&mut self, options: &Options) -> Result<Docker, Problem> {
        let built = |key: &str| options.built.get(key).map(|placed| &placed.value);
        let text = |key: &str| built(key).and_then(BuiltOf::text);
        let texts = |key: &str| built(key).and_then(BuiltOf::texts);
        let variables = |key: &str| built(key).and_then(BuiltOf::variables);
        let whether = |key: &str| built(key).is_some_and(BuiltOf::is_something);
        let mut docker = Docker {
            parent_image: options.parent_image.as_ref().map(|placed| placed.value.clone()),
            skip_build: options.skip_build.as_ref().is_some_and(|placed| placed.value),
            apt_packages: texts("apt_packages").unwrap_or_default(),
            environment: variables("environment").unwrap_or_default(),
            runtime_environment: variables("runtime_environment").unwrap_or_default(),
            user: text("user"),
            target_repository: text("target_repository"),
            cache_mounts: texts("cache_mounts").unwrap_or_default(),
            prevent_build_reuse: whether("prevent_build_reuse"),
            ..Docker::default()
        };
        if let Some(BuiltOf::Installer(installer)) = built("python_package_installer") {
            docker.python_package_installer = *installer;
        }
        docker.requirements = texts("requirements").unwrap_or_default();
        for line in &docker.requirements {
            requirements::check(line).map_err(|refused| ("requirements", refused))?;
        }
        for key in ["requirements", "pyproject"] {
            if let Some(path) = text(key) {
                docker.requirements.extend(self.lines_of(key, path)?);
            }
        }
        let replicate = "replicate_local_python_environment";
        if whether(replicate) {
            let installed = self.lines_of(replicate, String::new())?;
            docker.requirements.extend(installed);
        }
        self.add_dockerfile(&mut docker, &text)?;
        Ok(docker)
    }

    fn add_dockerfile(
        &mut self,
        docker: &mut Docker,
        text: &dyn Fn(&str) -> Option<String>,
    ) -> Result<(), Problem> {
        let relative = |key: &'static str| -> Result<Option<String>, Problem> {
            text(key)
                .map(|path| FileDigests::under(self.source_root).within(&path))
                .transpose()
                .map_err(|refused| (key, refused))
        };
        docker.dockerfile = relative("dockerfile")?;
        docker.build_context_root = relative("build_context_root")?;
        docker.dockerignore = relative("dockerignore")?;
        let Some(dockerfile) = &docker.dockerfile else {
            let idle =
                ["build_context_root", "dockerignore"].into_iter().find(|key| text(key).is_some());
            return match idle {
                None => Ok(()),
                Some(key) => Err((
                    key,
                    Refused {
                        what: "it is for a Dockerfile, and there is none".to_owned(),
                        help: "name one with `dockerfile`, or leave this out",
                    },
                )),
            };
        };
        let text = fs::read_to_string(self.source_root.join(dockerfile)).unwrap_or_default();
        if requirements::has_credentials(&text) {
            return Err((
                "dockerfile",
                Refused {
                    what: format!(
                        "{} has an address with a password, which whoever gets the image could read",
                        quoted(dockerfile)
                    ),
                    help: "take it out of there",
                },
            ));
        }
        let folder = Path::new(dockerfile).parent().and_then(Path::to_str).unwrap_or_default();
        let root = docker.build_context_root.get_or_insert_with(|| folder.to_owned()).clone();
        let context = (dockerfile.clone(), root, docker.dockerignore.clone());
        let digest = self.contexts.entry(context).or_insert_with_key(|context| {
            let (dockerfile, root, ignore) = context;
            let digest = code::context_digest(
                self.source_root,
                Path::new(dockerfile),
                Path::new(root),
                ignore.as_deref().map(Path::new),
            );
            digest.map_err(|error| Refused {
                what: error.to_string(),
                help: "write paths relative to the source root, and leave out what is no part of the image in `.dockerignore`",
            })
        });
        docker.context = Some(digest.clone().map_err(|refused| ("dockerfile", refused))?);
        Ok(())
    }

    fn lines_of(&mut self, key: &'static str, path: String) -> Result<Vec<String>, Problem> {
        let Self { source_root, site_packages, lines, .. } = self;
        let found = lines.entry((key, path)).or_insert_with_key(|(key, path)| {
            if path.is_empty() {
                return requirements::installed(site_packages);
            }
            let relative = FileDigests::under(source_root).within(path)?;
            let file = source_root.join(relative);
            let text = std::fs::read_to_string(&file).map_err(|error| Refused {
                what: format!("{} cannot be read: {error}", quoted(path)),
                help: "write its path relative to the source root",
            })?;
            match *key {
                "pyproject" => requirements::of_project(&text),
                _ => requirements::of_file(&text, &file),
            }
        });
        found.clone().map_err(|refused| (key, refused))
    }
}
