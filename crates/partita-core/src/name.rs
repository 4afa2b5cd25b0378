//! Names that people give, and the safe path segments made of them.

use crate::digest::Digest;

/// Characters that a slug keeps at most.
const SLUG_LENGTH: usize = 80;
/// Characters that a name may have at most.
pub const NAME_LENGTH: usize = 256;

/// What stands for the latest run wherever a run is named.
pub const LATEST_RUN: &str = "latest";

/// Why a name is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// Nothing but white space.
    #[error("it is empty")]
    Empty,
    /// More characters than [`NAME_LENGTH`].
    #[error("it has {0} characters; at most {NAME_LENGTH} are allowed")]
    TooLong(usize),
    /// A line break or another control character.
    #[error("it has a control character at position {0}")]
    ControlCharacter(usize),
    /// [`LATEST_RUN`], as the name of a run.
    #[error("`{LATEST_RUN}` stands for the latest run")]
    Latest,
    /// A character that the name of a flavor does not have.
    #[error(
        "it has `{0}`; a flavor's name has letters, digits, `_`, `-` and `.` alone, and begins with a letter or a digit"
    )]
    NotOfFlavor(char),
}

/// Checks a name of a run, pipeline, step, artifact, stack or component: any text of 1 to 256
/// characters without control characters.
///
/// # Errors
/// What is wrong with the name.
pub fn check(name: &str) -> Result<(), InvalidName> {
    if name.trim().is_empty() {
        return Err(InvalidName::Empty);
    }
    let length = name.chars().count();
    if length > NAME_LENGTH {
        return Err(InvalidName::TooLong(length));
    }
    match name.chars().position(char::is_control) {
        Some(position) => Err(InvalidName::ControlCharacter(position)),
        None => Ok(()),
    }
}

/// Checks the name of a run that is to begin: as [`check`] does, and that it is not
/// [`LATEST_RUN`].
///
/// # Errors
/// What is wrong with the name.
pub fn check_run(name: &str) -> Result<(), InvalidName> {
    if name == LATEST_RUN { Err(InvalidName::Latest) } else { check(name) }
}

/// Checks the name of a flavor, which options and keys of settings hold: as [`check`] does, and that
/// it is one word.
///
/// # Errors
/// What is wrong with the name.
pub fn check_flavor(name: &str) -> Result<(), InvalidName> {
    check(name)?;
    let begins = |c: char| c.is_alphanumeric();
    let goes_on = |c: char| begins(c) || matches!(c, '_' | '-' | '.');
    let mut letters = name.chars().enumerate();
    let odd = letters.find(|&(at, c)| if at == 0 { !begins(c) } else { !goes_on(c) });
    odd.map_or(Ok(()), |(_, odd)| Err(InvalidName::NotOfFlavor(odd)))
}

/// Returns a path segment of at most 80 safe characters (`a-z A-Z 0-9 . _ -`) for `name`.
///
/// A name that is safe already stays itself; any other gets a digest at its end, so that
/// different names never share a slug.
pub fn slug(name: &str) -> String {
    let safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let is_safe = !name.is_empty()
        && name.len() <= SLUG_LENGTH
        && name.chars().all(safe)
        && !name.starts_with('.')
        && !name.contains("--");
    if is_safe {
        return name.to_owned();
    }
    let kept: String =
        name.chars().map(|c| if safe(c) { c } else { '_' }).take(SLUG_LENGTH - 14).collect();
    let digest = Digest::of(name.as_bytes()).to_string();
    format!("{}--{}", kept.trim_start_matches('.'), &digest[..12])
}

/// Returns the candidate nearest to `word`, if it is near enough to be what was meant.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (edit_distance(word, candidate), candidate))
        .min()
        .filter(|(distance, candidate)| {
            *distance <= 1 + candidate.chars().count().max(word.chars().count()) / 3
        })
        .map(|(_, candidate)| candidate)
}

/// Levenshtein distance, in characters.
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_are_safe_short_and_distinct() {
        for name in ["..", "../../etc", "a/b", "", "é", &"x".repeat(10_000), "a b", ".hidden"] {
            let slug = slug(name);
            assert!(slug.len() <= SLUG_LENGTH && !slug.starts_with('.'), "{slug}");
            assert!(slug.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)));
        }
        assert_eq!(slug("train_2"), "train_2");
        assert_ne!(slug("a/b"), slug("a b"));
        assert_ne!(slug(&slug("a/b")), slug("a/b"));
    }

    #[test]
    fn the_name_of_a_flavor_is_one_word() {
        for name in ["queue", "vm_kubernetes", "a-b.c", "grün", "7"] {
            assert_eq!(check_flavor(name), Ok(()), "{name}");
        }
        let odd = |name: &str, odd: char| {
            assert_eq!(check_flavor(name), Err(InvalidName::NotOfFlavor(odd)), "{name}");
        };
        odd("my queue", ' ');
        odd("-x", '-');
        odd(".x", '.');
        odd("a/b", '/');
        odd("a\u{202e}b", '\u{202e}');
        odd("{{a.b}}", '{');
        assert_eq!(check_flavor(" "), Err(InvalidName::Empty));
        assert_eq!(check_flavor("a\nb"), Err(InvalidName::ControlCharacter(1)));
        assert_eq!(check_flavor(&"x".repeat(257)), Err(InvalidName::TooLong(257)));
    }

    #[test]
    fn the_nearest_key_is_offered_only_when_it_is_near() {
        let known = ["enable_cache", "retry", "timeout"];
        assert_eq!(nearest("enable_cahce", known), Some("enable_cache"));
        assert_eq!(nearest("retries", known), Some("retry"));
        assert_eq!(nearest("zebra", known), None);
    }
}
