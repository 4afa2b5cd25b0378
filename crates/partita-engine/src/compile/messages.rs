//! Words that the compiler's messages share: quoting, lists and suggestions.

use partita_core::name::nearest;

/// Characters of a name that a message shows.
const SHOWN: usize = 60;
/// Names that a message lists before it only counts.
const LISTED: usize = 5;
/// Known words that a message lists when none is near.
const KNOWN: usize = 12;

/// Returns `text` in backticks, on one line and shortened to what a reader takes in.
pub(super) fn quoted(text: &str) -> String {
    let mut shown = String::from("`");
    for c in text.chars().take(SHOWN) {
        if c.is_control() {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    if text.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown.push('`');
    shown
}

/// Returns `names` as `a`, `b` and `c`, counting those that are too many to list.
pub(super) fn listed(names: &[&str]) -> String {
    let shown: Vec<String> = names.iter().take(LISTED).map(|name| quoted(name)).collect();
    match (shown.as_slice(), names.len().saturating_sub(LISTED)) {
        ([only], 0) => only.clone(),
        ([first @ .., last], 0) => format!("{} and {last}", first.join(", ")),
        (_, more) => format!("{} and {more} more", shown.join(", ")),
    }
}

/// Returns what to do about the unknown `word`: the nearest of the known ones, else all of them.
pub(super) fn suggestion(word: &str, known: &[&str]) -> String {
    if let Some(near) = nearest(word, known.iter().copied()) {
        return format!("did you mean {}?", quoted(near));
    }
    match known {
        [] => "there are none".to_owned(),
        [only] => format!("the only one is {}", quoted(only)),
        _ => {
            let shown: Vec<String> = known.iter().take(KNOWN).map(|name| quoted(name)).collect();
            let more = if known.len() > KNOWN { ", …" } else { "" };
            format!("known are {}{more}", shown.join(", "))
        }
    }
}
