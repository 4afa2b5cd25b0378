//! Checks the settings that a flavor of orchestrators has of its own, against the flavor's schema.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use partita_core::diagnostic::{Diagnostic, Location, Report};
use partita_core::literal::Literal;
use partita_core::schema::{Mismatch, Schema};
use partita_core::secret;
use partita_core::spec::StepSpec;
use partita_core::stack::Component;
use serde_json::Value;

use super::CompileRequest;
use super::messages::{quoted, suggestion};
use super::options::{Options, Placed};

/// The flavors of orchestrators, with the JSON Schemas of the settings that a pipeline may hold for
/// them; a flavor without one takes none.
#[derive(Debug, Clone, Default)]
pub struct FlavorSettings {
    /// Those that need no registration. What makes a schema takes as long as many a step, and few
    /// pipelines need it.
    pub built_in: BTreeMap<&'static str, Option<fn() -> Value>>,
    /// Those that are registered; none of them is called as one that is built in.
    pub registered: BTreeMap<String, Option<Value>>,
}

impl FlavorSettings {
    fn names(&self) -> Vec<&str> {
        self.built_in.keys().copied().chain(self.registered.keys().map(String::as_str)).collect()
    }

    fn schema(&self, flavor: &str) -> Option<Value> {
        match self.built_in.get(flavor) {
            Some(schema) => schema.map(|schema| schema()),
            None => self.registered.get(flavor).cloned().flatten(),
        }
    }
}

/// Settings of orchestrators, by flavor; under an empty name those for whatever flavor runs the step.
pub(super) type OrchestratorSettings = BTreeMap<String, BTreeMap<String, Placed<Literal>>>;

/// The settings of a step for one orchestrator, or for one flavor.
type Settings<'s> = BTreeMap<&'s String, &'s Placed<Literal>>;

/// Whose settings they are.
struct Owner<'o> {
    /// In words.
    name: String,
    flavor: &'o str,
    /// What to do where it takes none.
    without: &'static str,
}

/// Checks the settings of each step, and tells what several inherit once.
pub(super) struct SettingsChecker<'a> {
    request: &'a CompileRequest,
    /// The schemas that were needed so far, by flavor.
    schemas: HashMap<String, Option<Arc<Value>>>,
    told: HashSet<(Option<(String, u64)>, String)>,
}

impl<'a> SettingsChecker<'a> {
    pub(super) fn new(request: &'a CompileRequest) -> Self {
        Self { request, schemas: HashMap::new(), told: HashSet::new() }
    }

    fn schema(&mut self, flavor: &str) -> Option<Arc<Value>> {
        if let Some(known) = self.schemas.get(flavor) {
            return known.clone();
        }
        let schema = self.request.flavor_settings.schema(flavor).map(Arc::new);
        self.schemas.insert(flavor.to_owned(), schema.clone());
        schema
    }

    /// Returns the settings of a step for the orchestrator with this name, or the default one.
    pub(super) fn check(
        &mut self,
        step: &StepSpec,
        options: &Options,
        orchestrator: Option<&str>,
        report: &mut Report,
    ) -> BTreeMap<String, Literal> {
        let all = &options.orchestrator_settings;
        let names = self.request.flavor_settings.names();
        let is_flavor = |name: &str| names.contains(&name);
        for (flavor, settings) in all {
            if !flavor.is_empty() && !is_flavor(flavor) {
                let what =
                    format!("`settings` has keys for {}, which is no flavor", quoted(flavor));
                let place = settings.values().find_map(|placed| placed.location.as_ref());
                self.tell(what, suggestion(flavor, &names), place, step, report);
            }
        }
        let mut components = self.request.stack.orchestrators.iter();
        let found = components.find(|one| orchestrator.is_none_or(|name| one.name == name));
        let Some(component) = found else { return BTreeMap::new() };
        let mut settings = BTreeMap::new();
        for group in [all.get(""), all.get(&component.flavor)].into_iter().flatten() {
            settings.extend(group);
        }
        // Those for other flavors wait for a stack that has them; what is wrong is wrong already.
        let others = |(flavor, _): &(&String, _)| **flavor != component.flavor;
        for (flavor, settings) in all.iter().filter(others).filter(|(it, _)| is_flavor(it)) {
            let name = format!("flavor {}", quoted(flavor));
            let owner = Owner { name, flavor, without: "take them away" };
            let settings = settings.iter().collect();
            let schema = self.schema(flavor);
            self.check_all(schema.as_deref(), &settings, &owner, step, report);
        }
        let owner = Owner {
            name: named(component),
            flavor: &component.flavor,
            without: "take them away, or say for which flavor they are, as in `orchestrator.FLAVOR`",
        };
        let schema = self.schema(&component.flavor);
        self.check_all(schema.as_deref(), &settings, &owner, step, report);
        if let Some(schema) = &schema {
            self.check_missing(&Schema::of(schema), &settings, &owner, step, report);
        }
        let values = settings.into_iter().map(|(key, placed)| (key.clone(), placed.value.clone()));
        values.collect()
    }

    /// Checks settings against a schema; without one there are none.
    fn check_all(
        &mut self,
        schema: Option<&Value>,
        settings: &Settings<'_>,
        owner: &Owner<'_>,
        step: &StepSpec,
        report: &mut Report,
    ) {
        if let Some(schema) = schema {
            self.check_keys(&Schema::of(schema), settings, owner, step, report);
        } else if let Some((key, placed)) = settings.iter().next() {
            let what = format!("{} takes no settings, and got {}", owner.name, quoted(key));
            self.tell(what, owner.without.to_owned(), placed.location.as_ref(), step, report);
        }
    }

    fn check_keys(
        &mut self,
        schema: &Schema<'_>,
        settings: &Settings<'_>,
        owner: &Owner<'_>,
        step: &StepSpec,
        report: &mut Report,
    ) {
        let Owner { name: owner, flavor, .. } = owner;
        for (key, placed) in settings {
            let place = placed.location.as_ref();
            if !schema.knows(key) {
                let what = format!("{} is no setting of {owner}", quoted(key));
                self.tell(what, schema.suggestion(key), place, step, report);
            } else if let Some(reference) = secret_in(&placed.value) {
                let setting = quoted(key);
                let what = format!(
                    "the setting {setting} of {owner} refers to the secret `{reference}`, and settings take no secrets"
                );
                let help = "refer to it in the orchestrator's configuration or in a parameter of the step, which are handed over privately";
                self.tell(what, help.to_owned(), place, step, report);
            } else if let Err(Mismatch { path, what }) = schema.check(key, &placed.value) {
                let what = format!("the setting {} of {owner} {what}", quoted(&path));
                let help =
                    format!("`partita orchestrator flavor describe {flavor}` shows the settings");
                self.tell(what, help, place, step, report);
            }
        }
    }

    fn check_missing(
        &mut self,
        schema: &Schema<'_>,
        settings: &Settings<'_>,
        owner: &Owner<'_>,
        step: &StepSpec,
        report: &mut Report,
    ) {
        let given = settings.iter().map(|(key, placed)| ((*key).clone(), placed.value.clone()));
        for key in schema.missing(&given.collect()) {
            let what = format!("{} needs the setting {}", owner.name, quoted(key));
            let help = "give it in `settings`, under `orchestrator`".to_owned();
            self.tell(what, help, None, step, report);
        }
    }

    fn tell(
        &mut self,
        what: String,
        help: String,
        place: Option<&Location>,
        step: &StepSpec,
        report: &mut Report,
    ) {
        let place = place.or(step.location.as_ref());
        let key = place.map(|place| (place.file.clone(), place.line));
        if self.told.insert((key, what.clone())) {
            report.push(Diagnostic::new(what).help(help).at(place.cloned()));
        }
    }
}

/// Returns a reference to a secret that a setting holds.
fn secret_in(value: &Literal) -> Option<String> {
    let found = secret::references(value).first().map(ToString::to_string);
    found.or_else(|| secret::mixed(value))
}

fn named(component: &Component) -> String {
    format!("orchestrator {} (flavor {})", quoted(&component.name), quoted(&component.flavor))
}
