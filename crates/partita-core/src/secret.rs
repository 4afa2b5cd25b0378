//! References to secrets, `{{NAME.KEY}}`: all that documents ever hold of one.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;

use crate::deployment::{Deployment, Input, Step};
use crate::literal::Literal;
use crate::stack::Component;

/// Most characters that a secret's name or key has.
const WORD_LENGTH: usize = 64;

/// Stands for one value of a secret; shown and written as `{{NAME.KEY}}`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    /// The secret.
    pub name: String,
    /// Which of its values.
    pub key: String,
}

/// A word that can be neither a secret's name nor a key of one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "it must begin with a letter or `_`, and have letters of ASCII, digits, `_` and `-` alone, at most {WORD_LENGTH}"
)]
pub struct InvalidWord;

/// Checks a secret's name or key.
///
/// # Errors
/// [`InvalidWord`] if a reference could not hold it.
pub fn check_word(word: &str) -> Result<(), InvalidWord> {
    let begins = |c: char| c.is_ascii_alphabetic() || c == '_';
    let goes_on = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let is_valid =
        word.len() <= WORD_LENGTH && word.starts_with(begins) && word.chars().all(goes_on);
    if is_valid { Ok(()) } else { Err(InvalidWord) }
}

impl Reference {
    /// Reads a text that is a reference and nothing else. Spaces inside of the braces are let pass.
    pub fn parse(text: &str) -> Option<Self> {
        let inside = text.strip_prefix("{{")?.strip_suffix("}}")?;
        let (name, key) = inside.trim_matches(' ').split_once('.')?;
        check_word(name).and(check_word(key)).ok()?;
        Some(Self { name: name.to_owned(), key: key.to_owned() })
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{{{}.{}}}}}", self.name, self.key)
    }
}

/// Returns the references that a literal holds: texts in it, but for keys of mappings.
pub fn references(literal: &Literal) -> Vec<Reference> {
    found(literal.text()).into_iter().map(|(_, reference)| reference).collect()
}

/// Returns the literal with the text that `value` gives in place of each reference.
///
/// # Errors
/// What `value` returns, or that the result is no JSON.
pub fn filled<E: From<serde_json::Error>>(
    literal: &Literal,
    mut value: impl FnMut(&Reference) -> Result<String, E>,
) -> Result<Literal, E> {
    let text = literal.text();
    let mut filled = String::with_capacity(text.len());
    let mut copied = 0;
    for (place, reference) in found(text) {
        filled.push_str(&text[copied..place.start]);
        filled.push_str(&serde_json::to_string(&value(&reference)?)?);
        copied = place.end;
    }
    filled.push_str(&text[copied..]);
    Ok(Literal::parse(&filled)?)
}

/// Returns a text that holds a reference beside other text, which stands for no value.
pub fn mixed(literal: &Literal) -> Option<String> {
    let holds = |text: &str| {
        text.match_indices("{{").any(|(start, _)| {
            let rest = &text[start..];
            let end = rest.find("}}").map_or(0, |end| end + 2);
            end < text.len() && Reference::parse(&rest[..end]).is_some()
        })
    };
    if !literal.text().contains("{{") {
        return None;
    }
    let text = literal.text();
    let mixed = strings(text).find(|place| holds(&text[place.start + 1..place.end - 1]))?;
    Some(text[mixed.start + 1..mixed.end - 1].to_owned())
}

/// A reference in a deployment, and what takes its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Use {
    /// The reference.
    pub reference: Reference,
    /// What takes it, such as ``step `fetch` ``.
    pub taker: String,
    /// The input, or the key of a configuration, that takes it.
    pub input: String,
}

/// Returns every use of a secret in a deployment.
pub fn uses(deployment: &Deployment) -> Vec<Use> {
    let of_components = deployment.stack.components().flat_map(|component| {
        of_component(component).into_iter().map(move |(key, reference)| Use {
            reference,
            taker: format!("the {} `{}`", component.component_type, component.name),
            input: key.to_owned(),
        })
    });
    let of_steps = deployment.steps.iter().flat_map(|step| {
        of_step(step).into_iter().map(move |(input, reference)| Use {
            reference,
            taker: format!("step `{}`", step.name),
            input: input.to_owned(),
        })
    });
    of_components.chain(of_steps).collect()
}

/// Returns the references in a component's configuration, each with its key.
pub fn of_component(component: &Component) -> Vec<(&str, Reference)> {
    let config = component.config.iter();
    config
        .flat_map(|(key, literal)| references(literal).into_iter().map(|found| (&**key, found)))
        .collect()
}

/// Returns the references that a step is called with, each with the input that takes it.
pub fn of_step(step: &Step) -> Vec<(&str, Reference)> {
    let mut found = Vec::new();
    for (name, literal) in &step.parameters {
        found.extend(references(literal).into_iter().map(|reference| (&**name, reference)));
    }
    for (name, input) in &step.inputs {
        visit(input, &mut |literal| {
            found.extend(references(literal).into_iter().map(|reference| (&**name, reference)));
        });
    }
    found
}

fn visit(input: &Input, see: &mut impl FnMut(&Literal)) {
    match input {
        Input::Value(literal) => see(literal),
        Input::Output(_) | Input::Artifact(_) => {}
        Input::List(items) | Input::Tuple(items) => {
            items.iter().for_each(|item| visit(item, see));
        }
        Input::Dict(items) => items.iter().for_each(|(_, item)| visit(item, see)),
    }
}

/// Returns the references that a step is called with, each once.
pub fn taken_by(step: &Step) -> BTreeSet<Reference> {
    of_step(step).into_iter().map(|(_, reference)| reference).collect()
}

/// Returns the references in JSON text with the places of their strings.
fn found(text: &str) -> Vec<(Range<usize>, Reference)> {
    // Nearly every literal is done with here.
    if !text.contains("\"{{") {
        return Vec::new();
    }
    let is_key = |place: &Range<usize>| text[place.end..].starts_with(':');
    strings(text)
        .filter(|place| !is_key(place))
        .filter_map(|place| {
            let reference = Reference::parse(&text[place.start + 1..place.end - 1])?;
            Some((place, reference))
        })
        .collect()
}

/// Returns where the strings of compact JSON text are, with their quotation marks.
fn strings(text: &str) -> impl Iterator<Item = Range<usize>> {
    let mut from = 0;
    std::iter::from_fn(move || {
        let start = from + text.get(from..)?.find('"')?;
        let mut escaped = false;
        let ends = |&(_, byte): &(usize, u8)| {
            let ends = byte == b'"' && !escaped;
            escaped = byte == b'\\' && !escaped;
            ends
        };
        let end = text.bytes().enumerate().skip(start + 1).find(ends)?.0 + 1;
        from = end;
        Some(start..end)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn literal(text: &str) -> Literal {
        Literal::parse(text).expect("JSON")
    }

    #[test]
    fn a_reference_is_a_whole_text() {
        let check = |text: &str, expected: &[&str]| {
            let found = references(&literal(text));
            assert_eq!(
                found.iter().map(Reference::to_string).collect::<Vec<_>>(),
                expected,
                "{text}"
            );
        };
        check(r#""{{hub.token}}""#, &["{{hub.token}}"]);
        check(r#""{{ hub.token }}""#, &["{{hub.token}}"]);
        check(r#"["a",{"b":"{{a.b-c}}"},"{{_.K1}}"]"#, &["{{a.b-c}}", "{{_.K1}}"]);
        check(r#"{"{{a.b}}":1}"#, &[]);
        check(r#""Hello {{user.name}}""#, &[]);
        check(r#""\"{{a.b}}\"""#, &[]);
        check(r#"["\\","{{a.b}}"]"#, &["{{a.b}}"]);
        for text in ["{{a}}", "{{a.b.c}}", "{{1.b}}", "{{a. b}}", "{{.b}}", "{{é.b}}", "{{}}", "{{"]
        {
            assert_eq!(Reference::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_value_takes_the_place_of_its_reference_alone() {
        let fill = |text: &str| {
            let value = |reference: &Reference| {
                Ok::<_, serde_json::Error>(format!("{}\"\n", reference.key))
            };
            filled(&literal(text), value).expect("filled").text().to_owned()
        };
        assert_eq!(
            fill(r#"["{{a.b}}",1.0,{"{{a.b}}":"{{a.c}}"}]"#),
            r#"["b\"\n",1.0,{"{{a.b}}":"c\"\n"}]"#
        );
        assert_eq!(fill(r#""x {{a.b}}""#), r#""x {{a.b}}""#);
    }

    #[test]
    fn a_reference_beside_other_text_is_told() {
        assert_eq!(mixed(&literal(r#"["{{a.b}}"]"#)), None);
        assert_eq!(mixed(&literal(r#""{{not this}} x""#)), None);
        assert_eq!(mixed(&literal(r#"["x://{{a.b}}@h"]"#)).as_deref(), Some("x://{{a.b}}@h"));
    }
}
