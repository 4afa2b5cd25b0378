//! Says what changed between two invocations of a step, in the author's words.
//!
//! Everything a key is made of stands in documents already: code and parameters in the
//! deployments, inputs in the commits. So nothing is stored for explanations alone.

use std::collections::BTreeMap;

use partita_core::deployment::{Deployment, Source, SourcePart, Step};
use partita_core::run::InputReference;

/// One invocation of a step, with what its key was made of.
pub(super) struct Invocation<'a> {
    pub(super) deployment: &'a Deployment,
    pub(super) step: &'a Step,
    pub(super) inputs: &'a BTreeMap<String, InputReference>,
}

/// Longest value shown, in characters.
const SHOWN: usize = 40;

/// Returns what differs between two invocations, one clause a difference.
pub(super) fn differences(before: &Invocation<'_>, after: &Invocation<'_>) -> Vec<String> {
    let mut found = Vec::new();
    code(before, after, &mut found);
    parameters(before.step, after.step, &mut found);
    inputs(before.inputs, after.inputs, &mut found);
    own_material(before.step, after.step, &mut found);
    if before.step.outputs != after.step.outputs {
        found.push("the declared outputs changed".to_owned());
    }
    let (old, new) = (&before.deployment.environment, &after.deployment.environment);
    if old != new {
        found.push(format!(
            "the environment changed from {} on {} to {} on {}",
            old.interpreter, old.platform, new.interpreter, new.platform
        ));
    }
    found
}

fn code(before: &Invocation<'_>, after: &Invocation<'_>, found: &mut Vec<String>) {
    let old = before.deployment.sources.get(&before.step.source);
    let new = after.deployment.sources.get(&after.step.source);
    let (Some(old), Some(new)) = (old, new) else {
        found.push("its source changed".to_owned());
        return;
    };
    let (old_parts, new_parts) = (by_name(old), by_name(new));
    for (key, part) in &new_parts {
        match old_parts.get(key) {
            None => found.push(format!("it now reaches {}", described(part))),
            Some(earlier) if earlier.digest != part.digest => {
                let what = if part.kind == "constant" { "value" } else { "source" };
                found.push(format!("{what} of {} changed", described(part)));
            }
            Some(_) => {}
        }
    }
    for (key, part) in &old_parts {
        if !new_parts.contains_key(key) {
            found.push(format!("it no longer reaches {}", described(part)));
        }
    }
    changes(&old.distributions, &new.distributions, "package", found);
}

fn by_name(source: &Source) -> BTreeMap<(&str, &str), &SourcePart> {
    source.parts.iter().map(|part| ((part.name.as_str(), part.kind.as_str()), part)).collect()
}

fn described(part: &SourcePart) -> String {
    format!("{} `{}`", part.kind, part.name)
}

fn parameters(before: &Step, after: &Step, found: &mut Vec<String>) {
    changes(&before.parameters, &after.parameters, "parameter", found);
}

fn inputs(
    before: &BTreeMap<String, InputReference>,
    after: &BTreeMap<String, InputReference>,
    found: &mut Vec<String>,
) {
    for (name, input) in after {
        match before.get(name) {
            None => found.push(format!("input `{name}` is new")),
            Some(old) if old.digest != input.digest => {
                found.push(format!("input `{name}` changed"))
            }
            Some(old) if old.code != input.code => {
                found.push(format!("the code of the value of input `{name}` changed"));
            }
            Some(_) => {}
        }
    }
    found.extend(
        before
            .keys()
            .filter(|name| !after.contains_key(*name))
            .map(|name| format!("input `{name}` is gone")),
    );
}

fn own_material(before: &Step, after: &Step, found: &mut Vec<String>) {
    let (old, new) = (&before.config, &after.config);
    if old.docker.parent_image != new.docker.parent_image {
        let shown = |image: &Option<String>| match image {
            Some(image) => format!("`{image}`"),
            None => "none".to_owned(),
        };
        let (old, new) = (&old.docker.parent_image, &new.docker.parent_image);
        found.push(format!("the image changed from {} to {}", shown(old), shown(new)));
    }
    if old.docker.content() != new.docker.content() {
        found.push("what its image is built of changed".to_owned());
    }
    if old.cache_version != new.cache_version {
        let shown = |version: &Option<String>| version.clone().unwrap_or_else(|| "none".to_owned());
        found.push(format!(
            "`cache_version` changed from {} to {}",
            shown(&old.cache_version),
            shown(&new.cache_version)
        ));
    }
    for (path, digest) in &new.cache_files {
        if old.cache_files.get(path) != Some(digest) {
            found.push(format!("file `{path}` changed"));
        }
    }
    for (variable, digest) in &new.cache_environment {
        if old.cache_environment.get(variable) != Some(digest) {
            found.push(format!("environment variable `{variable}` changed"));
        }
    }
    let dropped =
        old.cache_environment.keys().filter(|name| !new.cache_environment.contains_key(*name));
    found.extend(dropped.map(|name| format!("environment variable `{name}` no longer counts")));
    let gone = old.cache_files.keys().filter(|path| !new.cache_files.contains_key(*path));
    found.extend(gone.map(|path| format!("file `{path}` no longer counts")));
}

fn changes<V: PartialEq + ToString>(
    before: &BTreeMap<String, V>,
    after: &BTreeMap<String, V>,
    what: &str,
    found: &mut Vec<String>,
) {
    for (name, value) in after {
        match before.get(name) {
            None => found.push(format!("{what} `{name}` is new")),
            Some(old) if old != value => {
                found.push(format!(
                    "{what} `{name}` changed from {} to {}",
                    short(old),
                    short(value)
                ));
            }
            Some(_) => {}
        }
    }
    found.extend(
        before
            .keys()
            .filter(|name| !after.contains_key(*name))
            .map(|name| format!("{what} `{name}` is gone")),
    );
}

fn short(value: &impl ToString) -> String {
    let text = value.to_string();
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
