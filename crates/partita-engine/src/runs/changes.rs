//! Says whether a pipeline is still what a run of it executes, so that a run which is resumed never
//! drops an edit without a word.

use std::collections::{BTreeMap, BTreeSet};

use partita_core::deployment::{Deployment, Hooks, Step, StepConfig};
use partita_core::stack::Stack;
use serde_json::Value;

/// Changes that are named before the rest is only counted.
const NAMED: usize = 3;

/// Returns what has changed from `before` to `after`, in words, or `None` if nothing has that a run
/// depends on. Hooks are no such thing: those of the code as it is now are called anyway.
pub fn changes(before: &Deployment, after: &Deployment) -> Option<String> {
    let (before, after) = (without_hooks(before), without_hooks(after));
    if before == after {
        return None;
    }
    let mut found = Vec::new();
    pipeline(&before, &after, &mut found);
    stack(&before.stack, &after.stack, &mut found);
    steps(&before, &after, &mut found);
    if found.is_empty() {
        found.push("what the pipeline is made of".to_owned());
    }
    let more = found.len().saturating_sub(NAMED);
    found.truncate(NAMED);
    let named = found.join(", ");
    Some(if more > 0 { format!("{named} and {more} more") } else { named })
}

fn without_hooks(deployment: &Deployment) -> Deployment {
    let mut deployment = Deployment { id: String::new(), ..deployment.clone() };
    deployment.pipeline.hooks = Hooks::default();
    for step in &mut deployment.steps {
        step.config.hooks = Hooks::default();
    }
    deployment
}

fn pipeline(before: &Deployment, after: &Deployment, found: &mut Vec<String>) {
    let (old, new) = (&before.pipeline, &after.pipeline);
    if old.name != new.name {
        found.push("the pipeline's name".to_owned());
    }
    let names: BTreeSet<&String> = old.parameters.keys().chain(new.parameters.keys()).collect();
    let changed =
        names.into_iter().filter(|name| old.parameters.get(*name) != new.parameters.get(*name));
    found.extend(changed.map(|name| format!("the parameter `{name}`")));
    if old.failure_mode != new.failure_mode {
        found.push("`failure_mode`".to_owned());
    }
    if before.environment != after.environment {
        found.push("the interpreter or the platform".to_owned());
    }
}

fn stack(before: &Stack, after: &Stack, found: &mut Vec<String>) {
    if before.name != after.name {
        found.push(format!("the stack, which is `{}` now", after.name));
    }
    if before.artifact_store != after.artifact_store {
        found.push(format!("the artifact store `{}`", after.artifact_store.name));
    }
    let changed: Vec<String> = after
        .orchestrators
        .iter()
        .filter(|component| !before.orchestrators.contains(component))
        .map(|component| format!("the orchestrator `{}`", component.name))
        .collect();
    if changed.is_empty() && before.orchestrators != after.orchestrators {
        found.push(format!("the orchestrators of the stack `{}`", after.name));
    }
    found.extend(changed);
}

fn steps(before: &Deployment, after: &Deployment, found: &mut Vec<String>) {
    let by_name = |deployment: &'_ Deployment| -> BTreeMap<String, Step> {
        deployment.steps.iter().map(|step| (step.name.clone(), step.clone())).collect()
    };
    let (old_steps, new_steps) = (by_name(before), by_name(after));
    for step in &after.steps {
        let name = &step.name;
        let Some(old) = old_steps.get(name) else {
            found.push(format!("the step `{name}`, which is new"));
            continue;
        };
        if before.sources.get(&old.source) != after.sources.get(&step.source) {
            found.push(format!("the code that step `{name}` reaches"));
        }
        let wiring = |step: &Step| {
            let Step { parameters, inputs, map_over, upstream_steps, outputs, .. } = step.clone();
            (parameters, inputs, map_over, upstream_steps, outputs)
        };
        if wiring(old) != wiring(step) {
            found.push(format!("what step `{name}` takes and makes"));
        }
        let options = changed_keys(&old.config, &step.config);
        found.extend(options.into_iter().map(|key| format!("`{key}` of step `{name}`")));
    }
    let gone = before.steps.iter().filter(|step| !new_steps.contains_key(&step.name));
    found.extend(gone.map(|step| format!("the step `{}`, which is gone", step.name)));
}

/// Returns the options that differ, by the names that documents give them.
fn changed_keys(before: &StepConfig, after: &StepConfig) -> Vec<String> {
    let object = |config: &StepConfig| match serde_json::to_value(config) {
        Ok(Value::Object(object)) => object,
        _ => serde_json::Map::new(),
    };
    let (old, new) = (object(before), object(after));
    let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    keys.into_iter().filter(|key| old.get(*key) != new.get(*key)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn deployment() -> Value {
        let component = |kind: &str| json!({"name": "default", "type": kind, "flavor": "local"});
        json!({
            "version": 1, "id": "a",
            "pipeline": {"name": "digits", "source": "m:digits", "parameters": {"depth": 3}},
            "stack": {
                "name": "default",
                "orchestrators": [component("orchestrator")],
                "artifact_store": component("artifact_store"),
            },
            "environment": {"interpreter": "cpython-3.11", "platform": "linux"},
            "sources": {"m:load": {"parts": []}},
            "steps": [{"name": "load", "source": "m:load", "config": {"timeout": "60s"}}],
        })
    }

    fn read(document: Value) -> Deployment {
        serde_json::from_value(document).expect("a deployment")
    }

    /// Checks what is said of a deployment in which `pointer` leads to `value` now.
    fn check(pointer: &str, value: Value, expected: Option<&str>) {
        let mut after = deployment();
        let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
        after.pointer_mut(parent).expect("a place")[key] = value;
        let found = changes(&read(deployment()), &read(after));
        assert_eq!(found.as_deref(), expected, "{pointer}");
    }

    #[test]
    fn whatever_a_run_depends_on_is_named_when_it_changes() {
        check("/id", json!("b"), None);
        check("/pipeline/hooks", json!({"on_failure": "m:tell"}), None);
        check("/pipeline/parameters", json!({"depth": 5}), Some("the parameter `depth`"));
        check("/pipeline/failure_mode", json!("stop_on_failure"), Some("`failure_mode`"));
        check("/pipeline/source", json!("n:digits"), Some("what the pipeline is made of"));
        check("/steps/0/config", json!({"timeout": "90s"}), Some("`timeout` of step `load`"));
        check(
            "/stack/orchestrators",
            json!([{
                "name": "default", "type": "orchestrator", "flavor": "local",
                "config": {"allow_unenforced": true},
            }]),
            Some("the orchestrator `default`"),
        );
        check(
            "/sources/m:load",
            json!({"parts": [], "file": "m.py"}),
            Some("the code that step `load` reaches"),
        );
        check(
            "/steps",
            json!([{"name": "a", "source": "m:load"}, {"name": "b", "source": "m:load"}, {"name": "c", "source": "m:load"}]),
            Some(
                "the step `a`, which is new, the step `b`, which is new, the step `c`, which is new and 1 more",
            ),
        );
    }
}
