//! Whether components fit the flavors that they are instances of, which may have changed since.

use std::collections::BTreeMap;

use partita_core::literal::Literal;
use partita_core::schema::Schema;
use partita_core::stack::{Component, ComponentType, Flavor};

use crate::terminal::shell_word;

/// A component that no longer fits its flavor.
#[derive(Debug, thiserror::Error)]
#[error(
    "the {kind} `{name}` no longer validates: {problems}; change it with `{command}`, as its flavor `{flavor}` is now"
)]
pub struct Unfit {
    kind: ComponentType,
    name: String,
    flavor: String,
    problems: String,
    command: String,
}

/// Checks a component's configuration against what is stored of its flavor.
///
/// # Errors
/// Everything that is wrong with it, and what to type.
pub fn check(component: &Component, flavor: &Flavor) -> Result<(), Unfit> {
    let schema = Schema::of(&flavor.config_schema);
    let problems = schema.problems(&component.config);
    if problems.is_empty() {
        return Ok(());
    }
    Err(Unfit {
        kind: component.component_type,
        name: component.name.clone(),
        flavor: flavor.name.clone(),
        problems: problems.join("; "),
        command: mend(component, &options(&schema, &component.config)),
    })
}

/// Returns the command that changes a component with these options.
pub fn mend(component: &Component, options: &[String]) -> String {
    let kind = component.component_type.verb();
    let mut command = format!("partita {kind} update {}", shell_word(&component.name));
    for option in options {
        command.push(' ');
        command.push_str(option);
    }
    command
}

/// Returns the options that mend a configuration.
fn options(schema: &Schema<'_>, config: &BTreeMap<String, Literal>) -> Vec<String> {
    let set = |key: &str| format!("--{}=VALUE", shell_word(key));
    let missing = schema.missing(config).into_iter().map(set);
    let wrong = config.iter().filter_map(|(key, value)| {
        if !schema.knows(key) {
            return Some(format!("--unset {}", shell_word(key)));
        }
        schema.check(key, value).err().map(|_| set(key))
    });
    missing.chain(wrong).collect()
}
