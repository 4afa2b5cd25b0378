//! What an image is built of, as options say it: the values of single keys.

use std::collections::BTreeMap;

use partita_core::literal::{Kind, Literal};
use partita_core::secret::Reference;
use partita_core::settings::PackageInstaller;

use super::messages::{quoted, suggestion};
use super::requirements::has_credentials;
use super::values::{self, Refusal};

/// The value of a key of `settings.docker`.
#[derive(Debug, Clone)]
pub(super) enum BuiltOf {
    Text(String),
    Texts(Vec<String>),
    Variables(BTreeMap<String, String>),
    Whether(bool),
    Installer(PackageInstaller),
}

impl BuiltOf {
    /// Reads the value of a key.
    pub(super) fn read(key: &str, literal: &Literal) -> Result<Self, Refusal> {
        let value = match key {
            "apt_packages" => Self::Texts(packages(literal)?),
            "cache_mounts" => Self::Texts(folders(literal)?),
            "environment" | "runtime_environment" => Self::Variables(variables(literal)?),
            "prevent_build_reuse" | "replicate_local_python_environment" => {
                Self::Whether(values::boolean(literal)?)
            }
            "python_package_installer" => Self::Installer(installer(literal)?),
            "requirements" => values::filled_text(literal)
                .map(Self::Text)
                .or_else(|_| values::texts(literal).map(Self::Texts))?,
            "target_repository" => Self::Text(repository(literal)?),
            "user" => Self::Text(user(literal)?),
            _ => Self::Text(values::filled_text(literal)?),
        };
        value.check_no_secret()?;
        Ok(value)
    }

    /// Returns whether it asks for anything.
    pub(super) fn is_something(&self) -> bool {
        match self {
            Self::Text(_) | Self::Installer(_) => true,
            Self::Texts(texts) => !texts.is_empty(),
            Self::Variables(variables) => !variables.is_empty(),
            Self::Whether(whether) => *whether,
        }
    }

    pub(super) fn text(&self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text.clone()),
            _ => None,
        }
    }

    pub(super) fn texts(&self) -> Option<Vec<String>> {
        match self {
            Self::Texts(texts) => Some(texts.clone()),
            _ => None,
        }
    }

    pub(super) fn variables(&self) -> Option<BTreeMap<String, String>> {
        match self {
            Self::Variables(variables) => Some(variables.clone()),
            _ => None,
        }
    }

    /// Refuses references to secrets and addresses with passwords, which would be in the image for
    /// whoever gets that.
    fn check_no_secret(&self) -> Result<(), Refusal> {
        let texts: Vec<&String> = match self {
            Self::Text(text) => vec![text],
            Self::Texts(texts) => texts.iter().collect(),
            Self::Variables(variables) => variables.values().collect(),
            Self::Whether(_) | Self::Installer(_) => Vec::new(),
        };
        let refused = |what: String| {
            let help = "give the secret to the step, as the value of an input".to_owned();
            Err(Refusal::Content(what, Some(help)))
        };
        if let Some(text) = texts.iter().find(|text| is_reference(text)) {
            return refused(format!(
                "{} refers to a secret, which whoever gets the image could read",
                quoted(text)
            ));
        }
        match texts.iter().any(|text| has_credentials(text)) {
            true => refused(
                "it has an address with a password, which whoever gets the image could read"
                    .to_owned(),
            ),
            false => Ok(()),
        }
    }
}

fn is_reference(text: &str) -> bool {
    let inner = |text: &str| Some(text.split_once("{{")?.1.split_once("}}")?.0.to_owned());
    let whole = |inner: String| Reference::parse(&format!("{{{{{inner}}}}}")).is_some();
    Reference::parse(text).is_some() || inner(text).is_some_and(whole)
}

fn variables(literal: &Literal) -> Result<BTreeMap<String, String>, Refusal> {
    if literal.kind() != Kind::Dict {
        return Err(Refusal::Shape);
    }
    let values: BTreeMap<String, Literal> =
        serde_json::from_str(literal.text()).map_err(|_| Refusal::Shape)?;
    let variable = |(name, value): (String, Literal)| {
        if name.is_empty() || name.contains(['=', '\0', '\n']) {
            let what = format!("{} is not the name of an environment variable", quoted(&name));
            return Err(Refusal::Content(what, None));
        }
        let text = values::text(&value)?;
        match text.contains('\0') {
            true => Err(Refusal::Content(
                format!("the variable {} has a zero byte, which none can have", quoted(&name)),
                None,
            )),
            false => Ok((name, text)),
        }
    };
    values.into_iter().map(variable).collect()
}

/// Returns packages as Debian names them, perhaps with `=VERSION` or `/RELEASE`.
fn packages(literal: &Literal) -> Result<Vec<String>, Refusal> {
    let packages = values::texts(literal)?;
    let is_package = |package: &str| {
        let is_in = |c: char| c.is_ascii_alphanumeric() || "+-.:=/~_*".contains(c);
        package.starts_with(|c: char| c.is_ascii_alphanumeric()) && package.chars().all(is_in)
    };
    match packages.iter().find(|package| !is_package(package)) {
        None => Ok(packages),
        Some(package) => {
            Err(Refusal::Content(format!("{} is not the name of a package", quoted(package)), None))
        }
    }
}

/// Returns what images may be called, without a tag.
fn repository(literal: &Literal) -> Result<String, Refusal> {
    let text = values::filled_text(literal)?;
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let is_part = |part: &str| {
        part.starts_with(is_plain)
            && part.ends_with(is_plain)
            && part.chars().all(|c| is_plain(c) || "._-".contains(c))
    };
    if text.len() <= 200 && text.split('/').all(is_part) {
        return Ok(text);
    }
    let what = format!("{} is no name that an image can have", quoted(&text));
    let help =
        "write small letters, digits and `/`, as in `team/digits`; the tag is the image's digest";
    Err(Refusal::Content(what, Some(help.to_owned())))
}

/// Returns a user, or a user and a group, by name or number.
fn user(literal: &Literal) -> Result<String, Refusal> {
    let text = values::filled_text(literal)?;
    let is_one = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
            && part.chars().all(|c| c.is_ascii_alphanumeric() || "._-$".contains(c))
    };
    if text.split(':').count() <= 2 && text.split(':').all(is_one) {
        return Ok(text);
    }
    let what = format!("{} is no user", quoted(&text));
    let help = "write a name or a number, perhaps with a group: `app`, `1000:1000`";
    Err(Refusal::Content(what, Some(help.to_owned())))
}

fn folders(literal: &Literal) -> Result<Vec<String>, Refusal> {
    let folders = values::texts(literal)?;
    match folders.iter().find(|folder| !folder.starts_with('/') || folder.len() == 1) {
        None => Ok(folders),
        Some(folder) => {
            let what = format!("{} is not the path of a folder in an image", quoted(folder));
            let help = "begin it with `/`, as in `/root/.cache/pip`".to_owned();
            Err(Refusal::Content(what, Some(help)))
        }
    }
}

fn installer(literal: &Literal) -> Result<PackageInstaller, Refusal> {
    match values::text(literal)?.as_str() {
        "pip" => Ok(PackageInstaller::Pip),
        "uv" => Ok(PackageInstaller::Uv),
        other => {
            let help = suggestion(other, &PackageInstaller::WORDS);
            Err(Refusal::Content(format!("{} installs no packages", quoted(other)), Some(help)))
        }
    }
}
