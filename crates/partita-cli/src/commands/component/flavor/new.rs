//! `partita orchestrator flavor new`: writes an orchestrator to begin with.
//!
//! What it writes are the files of `templates/orchestrator`, in which three words stand for the name.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use partita_core::stack::ComponentType;

use crate::commands::component::built_in_flavors;
use crate::commands::init;
use crate::context::{Context, shown};
use crate::error::CommandError;

/// Writes an orchestrator that works, with its tests, into a folder of its name.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The flavor's name: lower-case letters, digits, `-` and `_`.
    #[arg(value_name = "NAME")]
    name: String,
    /// What it is written in.
    #[arg(long, value_enum, default_value_t = Language::Python)]
    language: Language,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Language {
    Python,
    Rust,
}

/// The files of a template, by their paths.
type Files = &'static [(&'static str, &'static str)];

macro_rules! files {
    ($language:literal: $($path:literal),+ $(,)?) => {
        &[$(($path, include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"), "/templates/orchestrator/", $language, "/", $path
        )))),+]
    };
}

const PYTHON: Files = files!("python":
    "README.md",
    "flavors/__init__.py",
    "flavors/my_flavor.py",
    "flavors/my_flavor_config.py",
    "flavors/my_flavor_orchestrator.py",
    "tests/test_my_flavor.py",
    "train.py",
);

const RUST: Files = files!("rust":
    "README.md",
    "Cargo.toml",
    "gitignore",
    "src/main.rs",
    "src/config.rs",
    "src/orchestrator.rs",
    "train.py",
);

/// How the template depends on Partita.
const DEPENDENCY: &str = r#"partita = { path = "../../../../partita", default-features = false }"#;

/// Names that files, modules or packages cannot have in one of the languages.
const RESERVED: &[&str] = &[
    "abstract",
    "alloc",
    "and",
    "as",
    "assert",
    "async",
    "await",
    "base",
    "become",
    "box",
    "break",
    "build",
    "class",
    "const",
    "continue",
    "core",
    "crate",
    "def",
    "del",
    "deps",
    "do",
    "dyn",
    "elif",
    "else",
    "enum",
    "examples",
    "except",
    "extern",
    "final",
    "finally",
    "fn",
    "for",
    "from",
    "gen",
    "global",
    "if",
    "impl",
    "import",
    "in",
    "incremental",
    "is",
    "lambda",
    "let",
    "loop",
    "macro",
    "match",
    "mod",
    "move",
    "mut",
    "nonlocal",
    "not",
    "or",
    "override",
    "partita",
    "pass",
    "priv",
    "proc_macro",
    "pub",
    "raise",
    "ref",
    "return",
    "self",
    "static",
    "std",
    "struct",
    "super",
    "test",
    "trait",
    "try",
    "type",
    "typeof",
    "unsafe",
    "unsized",
    "use",
    "virtual",
    "where",
    "while",
    "with",
    "yield",
];

/// Characters that a name has at most.
const LONGEST: usize = 64;

pub(super) fn run(kind: ComponentType, args: Args, context: &Context) -> Result<(), CommandError> {
    super::check_kind(kind)?;
    let name = Name::read(&args.name)?;
    let folder = Path::new(&args.name);
    let failed = |error: io::Error| {
        CommandError::failed(match error.kind() {
            io::ErrorKind::AlreadyExists => format!(
                "there is a `{}` here already, and nothing is overwritten; choose another name",
                shown(folder)
            ),
            _ => format!("`{}` cannot be written: {error}", shown(folder)),
        })
    };
    fs::create_dir(folder).map_err(failed)?;
    let checkout = checkout();
    if let Err(error) = write(folder, &name, args.language, checkout.as_deref()) {
        // Nobody else has put anything into it: it was made just now.
        let _ = fs::remove_dir_all(folder);
        return Err(failed(error));
    }
    context.say(&next(&name, args.language, checkout.as_deref()));
    Ok(())
}

fn write(
    folder: &Path,
    name: &Name,
    language: Language,
    checkout: Option<&Path>,
) -> io::Result<()> {
    let files = match language {
        Language::Python => PYTHON,
        Language::Rust => RUST,
    };
    for (path, text) in files {
        let path = match *path {
            "gitignore" => folder.join(".gitignore"),
            path => folder.join(name.put_into(path)),
        };
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        let mut text = (*text).to_owned();
        if path.ends_with("Cargo.toml") {
            // A workspace of its own, whatever folder it is written into.
            text = format!("{}\n[workspace]\n", text.replace(DEPENDENCY, &dependency(checkout)));
        }
        fs::write(path, name.put_into(&text))?;
    }
    init::mark(folder).map(drop)
}

/// Returns the folder of the crate that orchestrators in Rust depend on, if this command was built
/// from a checkout that is still there.
fn checkout() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).parent()?.join("partita");
    path.join("Cargo.toml").is_file().then_some(path)
}

fn dependency(checkout: Option<&Path>) -> String {
    match checkout.and_then(Path::to_str) {
        Some(path) => format!(
            "partita = {{ path = {}, default-features = false }}",
            toml_edit::Value::from(path)
        ),
        None => format!(
            "partita = {{ version = \"{}\", default-features = false }}",
            env!("CARGO_PKG_VERSION")
        ),
    }
}

/// Returns what to do next.
fn next(name: &Name, language: Language, checkout: Option<&Path>) -> String {
    let Name { given, snake, camel } = name;
    match language {
        Language::Python => format!(
            "`{given}` has an orchestrator in Python, with its tests; `cd {given} && python -m pytest && partita orchestrator flavor test flavors.{snake}.{camel}OrchestratorFlavor` tries it, and its `README.md` says how to go on"
        ),
        Language::Rust => {
            let of = match checkout {
                Some(path) => format!("the crate `partita` in `{}`", shown(path)),
                None => format!("version {} of the crate `partita`", env!("CARGO_PKG_VERSION")),
            };
            format!(
                "`{given}` has an orchestrator in Rust, with its tests, that depends on {of}; `cd {given} && cargo build && partita orchestrator flavor test ./target/debug/{given}` tries it, and its `README.md` says how to go on"
            )
        }
    }
}

/// A flavor's name, as each place has it.
struct Name {
    given: String,
    snake: String,
    camel: String,
}

impl Name {
    /// Reads a name that is one in both languages.
    fn read(given: &str) -> Result<Self, CommandError> {
        let snake = given.replace('-', "_");
        let refused = |why: &str| {
            Err(CommandError::usage(format!(
                "`{given}` cannot be the name of a new flavor: {why}; choose another, such as `my-queue`"
            )))
        };
        let is_allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c);
        if !given.starts_with(|c: char| c.is_ascii_lowercase()) || !given.chars().all(is_allowed) {
            return refused(
                "it begins with a lower-case letter, and has such letters, digits, `-` and `_`",
            );
        }
        if given.len() > LONGEST {
            return refused("it is too long");
        }
        if RESERVED.contains(&snake.as_str()) {
            return refused("it has a meaning of its own in Python, in Rust or in Partita");
        }
        if built_in_flavors().iter().any(|flavor| flavor.name == given) {
            return refused("a built-in flavor is called so");
        }
        let capitals = |part: &str| {
            let (first, rest) = part.split_at(part.len().min(1));
            first.to_ascii_uppercase() + rest
        };
        let camel = snake.split('_').map(capitals).collect();
        Ok(Self { given: given.to_owned(), snake, camel })
    }

    /// Puts it where a template has its own name.
    fn put_into(&self, text: &str) -> String {
        // In two rounds, since the name itself may have one of these words in it.
        let words =
            [("my-flavor", &self.given), ("my_flavor", &self.snake), ("MyFlavor", &self.camel)];
        let marked = words.iter().zip(["\u{1}", "\u{2}", "\u{3}"]);
        let text = marked
            .clone()
            .fold(text.to_owned(), |text, ((word, _), mark)| text.replace(word, mark));
        marked.fold(text, |text, ((_, name), mark)| text.replace(mark, name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_its_checkout_the_crate_is_taken_by_its_version() {
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(
            dependency(None),
            format!("partita = {{ version = \"{version}\", default-features = false }}")
        );
        let path = Path::new("/a \"b\"/partita");
        assert_eq!(
            dependency(Some(path)),
            r#"partita = { path = '/a "b"/partita', default-features = false }"#
        );
        let name = Name::read("spool").expect("a name");
        let told = next(&name, Language::Rust, None);
        assert!(told.contains(&format!("version {version} of the crate `partita`")), "{told}");
    }

    #[test]
    fn the_template_depends_on_the_crate_as_is_replaced() {
        let (_, manifest) =
            RUST.iter().find(|(path, _)| *path == "Cargo.toml").expect("it is there");
        assert!(manifest.contains(DEPENDENCY), "{manifest}");
    }
}
