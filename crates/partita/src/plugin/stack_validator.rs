//! What an orchestrator asks of the stack that it is in.

use partita_plugin::message::Stack;

use super::{Error, Result};

/// Says what is wrong with a stack, or nothing.
type Check = Box<dyn Fn(&Stack) -> std::result::Result<(), String> + Send + Sync>;

/// Refuses stacks that an orchestrator cannot work in.
///
/// ```
/// use partita::plugin::{Stack, StackValidator};
///
/// let has_short_name = |stack: &Stack| match stack.name.len() {
///     0..20 => Ok(()),
///     _ => Err("its name is too long for the queue".to_owned()),
/// };
/// let validator = StackValidator::new()
///     .required_components(["artifact_store"])
///     .custom_validation_function(has_short_name);
/// assert!(validator.validate(&Stack::default()).is_err());
/// ```
#[derive(Default)]
pub struct StackValidator {
    required: Vec<String>,
    check: Option<Check>,
}

impl StackValidator {
    /// Returns one that refuses nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Refuses stacks without a component of each of these types, such as `artifact_store`.
    pub fn required_components(
        mut self,
        types: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        self.required.extend(types.into_iter().map(Into::into));
        self
    }

    /// Refuses stacks of which a function says why they cannot be used.
    pub fn custom_validation_function(
        mut self,
        check: impl Fn(&Stack) -> std::result::Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        self.check = Some(Box::new(check));
        self
    }

    /// Checks a stack.
    ///
    /// # Errors
    /// Why the orchestrator cannot work in it.
    pub fn validate(&self, stack: &Stack) -> Result<()> {
        let has = |kind: &&String| stack.components.iter().any(|c| c.component_type == **kind);
        let missing: Vec<String> = self
            .required
            .iter()
            .filter(|kind| !has(kind))
            .map(|kind| format!("`{kind}`"))
            .collect();
        if !missing.is_empty() {
            return Err(Error::failed(format!(
                "the stack `{}` lacks {}; give it one with `partita stack update`",
                stack.name,
                missing.join(", ")
            )));
        }
        self.check.as_ref().map_or(Ok(()), |check| check(stack)).map_err(|why| {
            Error::failed(format!("the stack `{}` cannot be used here: {why}", stack.name))
        })
    }
}
