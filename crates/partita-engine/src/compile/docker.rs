//! What an image is built of, as options say it: the values of single keys.

use std::collections::BTreeMap;

use partita_core::literal::{Kind, Literal};
use partita_core::secret::Reference;
use partita_core::settings::PackageInstaller;

use super::messages::{quoted, suggestion};
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
            "apt_packages" => Self::Texts(values::texts(literal)?),
            "cache_mounts" => Self::Texts(folders(literal)?),
            "environment" | "runtime_environment" => Self::Variables(variables(literal)?),
            "prevent_build_reuse" | "replicate_local_python_environment" => {
                Self::Whether(values::boolean(literal)?)
            }
            "python_package_installer" => Self::Installer(installer(literal)?),
            "requirements" => values::filled_text(literal)
                .map(Self::Text)
                .or_else(|_| values::texts(literal).map(Self::Texts))?,
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

    /// Refuses references to secrets, whose values would be in the image for whoever gets that.
    fn check_no_secret(&self) -> Result<(), Refusal> {
        let texts: Vec<&String> = match self {
            Self::Text(text) => vec![text],
            Self::Texts(texts) => texts.iter().collect(),
            Self::Variables(variables) => variables.values().collect(),
            Self::Whether(_) | Self::Installer(_) => Vec::new(),
        };
        match texts.into_iter().find(|text| is_reference(text)) {
            None => Ok(()),
            Some(text) => Err(Refusal::Content(
                format!(
                    "{} refers to a secret, which whoever gets the image could read",
                    quoted(text)
                ),
                Some("give the secret to the step, as the value of an input".to_owned()),
            )),
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
        Ok((name, text))
    };
    values.into_iter().map(variable).collect()
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
