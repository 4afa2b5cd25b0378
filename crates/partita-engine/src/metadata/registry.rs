//! The registry: stacks, their components, and registered flavors.

use std::fmt;

use partita_core::name;
use partita_core::stack::{Claims, Component, ComponentType, Flavor, Stack};

use super::error::{MetadataError, Result};

/// The name of the stack and the components that every home has.
pub const DEFAULT: &str = "default";
/// Characters of a refused name that a message shows.
const SHOWN: usize = 80;

/// Whether something new is stored, or something that is there changes.
#[derive(Debug)]
pub enum Save<'a, T> {
    /// It must not be there.
    Register,
    /// It must be there, and be what the change was made of: no other change is lost.
    Update(&'a T),
}

/// A stack by the names of its components.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StackReferences {
    /// The stack's name.
    pub name: String,
    /// Names of orchestrators; the first is the default.
    pub orchestrators: Vec<String>,
    /// The name of the artifact store.
    pub artifact_store: String,
    /// The name of the image builder, if it has one.
    pub image_builder: Option<String>,
    /// The name of the container registry, if it has one.
    pub container_registry: Option<String>,
}

impl StackReferences {
    /// Returns every component that is named, with its type.
    pub fn named(&self) -> impl Iterator<Item = (ComponentType, &str)> {
        let orchestrators =
            self.orchestrators.iter().map(|name| (ComponentType::Orchestrator, name.as_str()));
        let optional = [
            (ComponentType::ImageBuilder, &self.image_builder),
            (ComponentType::ContainerRegistry, &self.container_registry),
        ];
        let optional =
            optional.into_iter().filter_map(|(kind, name)| Some((kind, name.as_deref()?)));
        orchestrators
            .chain([(ComponentType::ArtifactStore, self.artifact_store.as_str())])
            .chain(optional)
    }
}

impl From<&Stack> for StackReferences {
    fn from(stack: &Stack) -> Self {
        let orchestrators = stack.orchestrators.iter();
        Self {
            name: stack.name.clone(),
            orchestrators: orchestrators.map(|component| component.name.clone()).collect(),
            artifact_store: stack.artifact_store.name.clone(),
            image_builder: stack.image_builder.as_ref().map(|component| component.name.clone()),
            container_registry: stack
                .container_registry
                .as_ref()
                .map(|component| component.name.clone()),
        }
    }
}

/// Keeps stacks, components and flavors.
///
/// Implementations store rows; what may be stored, and what is said when it may not, is decided
/// once, in the provided methods.
pub trait Registry: Send + Sync {
    /// Returns the components of a type, by name.
    ///
    /// # Errors
    /// If they could not be read.
    fn components(&self, kind: ComponentType) -> Result<Vec<Component>>;

    /// Stores a component under its type and name, with what its flavor says of it; `None` where
    /// that was not asked. The flavor is given as the component was checked with it.
    ///
    /// # Errors
    /// If there is one on [`Save::Register`], none or another one on [`Save::Update`], the flavor is
    /// there no more or is another one, or the configuration refers to a secret that is not there.
    fn save_component(
        &self,
        component: &Component,
        flavor: &Flavor,
        claims: Option<Claims>,
        save: Save<'_, Component>,
    ) -> Result<()>;

    /// Returns what is stored of what a flavor says of a component, as that is configured here.
    ///
    /// # Errors
    /// If it could not be read.
    fn claims(&self, component: &Component) -> Result<Option<Claims>>;

    /// Deletes a component.
    ///
    /// # Errors
    /// If it is a default, is not there, or a stack uses it.
    fn delete_component(&self, kind: ComponentType, name: &str) -> Result<()>;

    /// Returns the stacks, by name.
    ///
    /// # Errors
    /// If they could not be read.
    fn stacks(&self) -> Result<Vec<Stack>>;

    /// Stores a stack.
    ///
    /// # Errors
    /// If there is one on [`Save::Register`], none or another one on [`Save::Update`], or a component
    /// is missing.
    fn save_stack(&self, stack: &StackReferences, save: Save<'_, StackReferences>) -> Result<()>;

    /// Deletes a stack; its components stay.
    ///
    /// # Errors
    /// If it is a default or is not there.
    fn delete_stack(&self, name: &str) -> Result<()>;

    /// Returns the registered flavors of a type, by name, without built-in ones.
    ///
    /// # Errors
    /// If they could not be read.
    fn registered_flavors(&self, kind: ComponentType) -> Result<Vec<Flavor>>;

    /// Stores a flavor; `built_in` are those that need no registration.
    ///
    /// # Errors
    /// If a built-in flavor has its name, or as for components.
    fn save_flavor(
        &self,
        flavor: &Flavor,
        built_in: &[Flavor],
        save: Save<'_, Flavor>,
    ) -> Result<()>;

    /// Deletes a registered flavor; `built_in` are those that need no registration.
    ///
    /// # Errors
    /// If it is built in, is not there, or a component is an instance of it.
    fn delete_flavor(&self, kind: ComponentType, name: &str, built_in: &[Flavor]) -> Result<()>;

    /// Returns the component with this type and name.
    ///
    /// # Errors
    /// [`MetadataError::NotFound`] if there is none.
    fn component(&self, kind: ComponentType, name: &str) -> Result<Component> {
        let components = self.components(kind)?;
        let names: Vec<String> =
            components.iter().map(|component| component.name.clone()).collect();
        pick(components, |component| component.name == name)
            .ok_or_else(|| Item::Component(kind).not_found(name, &names))
    }

    /// Returns the stack with this name.
    ///
    /// # Errors
    /// [`MetadataError::NotFound`] if there is none.
    fn stack(&self, name: &str) -> Result<Stack> {
        let stacks = self.stacks()?;
        let names: Vec<String> = stacks.iter().map(|stack| stack.name.clone()).collect();
        pick(stacks, |stack| stack.name == name).ok_or_else(|| Item::Stack.not_found(name, &names))
    }

    /// Returns the flavors of a type, by name: those in `built_in` and the registered ones.
    ///
    /// # Errors
    /// If they could not be read.
    fn flavors(&self, kind: ComponentType, built_in: &[Flavor]) -> Result<Vec<Flavor>> {
        let mut flavors: Vec<Flavor> =
            built_in.iter().filter(|flavor| flavor.component_type == kind).cloned().collect();
        for flavor in self.registered_flavors(kind)? {
            if flavors.iter().all(|known| known.name != flavor.name) {
                flavors.push(flavor);
            }
        }
        flavors.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(flavors)
    }

    /// Returns the flavor with this type and name, from `built_in` or registered.
    ///
    /// # Errors
    /// [`MetadataError::NotFound`] if there is none.
    fn flavor(&self, kind: ComponentType, name: &str, built_in: &[Flavor]) -> Result<Flavor> {
        let flavors = self.flavors(kind, built_in)?;
        let names: Vec<String> = flavors.iter().map(|flavor| flavor.name.clone()).collect();
        pick(flavors, |flavor| flavor.name == name)
            .ok_or_else(|| Item::Flavor(kind).not_found(name, &names))
    }
}

fn pick<T>(items: Vec<T>, is_it: impl Fn(&T) -> bool) -> Option<T> {
    items.into_iter().find(is_it)
}

/// What the registry holds, for messages.
#[derive(Debug, Clone, Copy)]
pub(super) enum Item {
    Component(ComponentType),
    Stack,
    Flavor(ComponentType),
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Component(kind) => write!(f, "{kind}"),
            Self::Stack => f.write_str("stack"),
            Self::Flavor(kind) => write!(f, "{kind} flavor"),
        }
    }
}

impl Item {
    /// Returns the command with `verb` for items like this.
    pub(super) fn command(self, verb: &str) -> String {
        match self {
            Self::Component(kind) => format!("partita {} {verb}", kind.verb()),
            Self::Stack => format!("partita stack {verb}"),
            Self::Flavor(kind) => format!("partita {} flavor {verb}", kind.verb()),
        }
    }

    pub(super) fn not_found<S: AsRef<str>>(self, name: &str, names: &[S]) -> MetadataError {
        let nearest = name::nearest(name, names.iter().map(AsRef::as_ref));
        let mut help = format!("`{}` shows them all", self.command("list"));
        if nearest.is_none() && !matches!(self, Self::Flavor(_)) {
            help.push_str(&format!(", and `{}` makes a new one", self.command("register")));
        }
        MetadataError::NotFound {
            what: self.to_string(),
            name: shown(name),
            nearest: nearest.map(str::to_owned),
            help,
        }
    }

    pub(super) fn exists(self, name: &str) -> MetadataError {
        let source = if matches!(self, Self::Flavor(_)) { " SOURCE" } else { "" };
        let update = self.command("update");
        let help = format!("choose another name, or change it with `{update} {name}{source}`");
        MetadataError::Exists { what: self.to_string(), name: name.to_owned(), help }
    }

    pub(super) fn changed(self, name: &str) -> MetadataError {
        MetadataError::Changed { what: self.to_string(), name: name.to_owned() }
    }

    pub(super) fn invalid(
        self,
        name: &str,
        reason: impl fmt::Display,
        help: &str,
    ) -> MetadataError {
        MetadataError::Invalid {
            what: self.to_string(),
            name: shown(name),
            reason: reason.to_string(),
            help: help.to_owned(),
        }
    }

    pub(super) fn check_name(self, name: &str) -> Result<()> {
        let checked = match self {
            Self::Flavor(_) => name::check_flavor(name),
            Self::Component(_) | Self::Stack => name::check(name),
        };
        checked.map_err(|error| {
            let reason = format!("its name is refused because {error}");
            self.invalid(name, reason, "choose another name")
        })
    }

    /// Refuses what belongs to every home.
    pub(super) fn check_editable(self, name: &str) -> Result<()> {
        if name != DEFAULT || matches!(self, Self::Flavor(_)) {
            return Ok(());
        }
        Err(MetadataError::Protected {
            what: self.to_string(),
            name: name.to_owned(),
            command: self.command("register"),
        })
    }

    /// Refuses the name of a built-in flavor.
    pub(super) fn check_not_built_in(self, name: &str, built_in: &[Flavor]) -> Result<()> {
        let Self::Flavor(kind) = self else { return Ok(()) };
        let is_it = |flavor: &Flavor| flavor.component_type == kind && flavor.name == name;
        if !built_in.iter().any(is_it) {
            return Ok(());
        }
        Err(MetadataError::Protected {
            what: format!("built-in {self}"),
            name: name.to_owned(),
            command: self.command("register"),
        })
    }
}

fn shown(name: &str) -> String {
    let mut shown: String =
        name.chars().take(SHOWN).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if name.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown
}
