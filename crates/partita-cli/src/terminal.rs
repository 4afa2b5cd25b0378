//! What the terminal can show: its width, its colours, and text that cannot harm it.

use std::borrow::Cow;
use std::io::IsTerminal;

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Columns of output that no terminal shows.
const UNBOUNDED: u16 = 100;

/// Returns the columns that output to standard output has, or `None` if that is no terminal.
pub fn stdout_width() -> Option<u16> {
    let size = terminal_size::terminal_size_of(std::io::stdout());
    if !std::io::stdout().is_terminal() {
        return None;
    }
    Some(size.map_or(UNBOUNDED, |(width, _)| width.0.max(1)))
}

/// The columns and lines of a terminal; at least one of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Columns.
    pub width: usize,
    /// Lines.
    pub height: usize,
}

/// Returns the size of the terminal that standard error writes to.
pub fn stderr_size() -> Size {
    // Some terminals tell a size of nothing.
    let size = terminal_size::terminal_size_of(std::io::stderr())
        .filter(|(width, height)| width.0 > 0 && height.0 > 0);
    size.map_or(Size { width: usize::from(UNBOUNDED), height: 24 }, |(width, height)| Size {
        width: usize::from(width.0),
        height: usize::from(height.0),
    })
}

/// Returns as much of `text` as has room in `width` columns, with an ellipsis for the rest.
pub fn fitted(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut shown = String::new();
    let mut left = width.saturating_sub(1);
    for c in text.chars() {
        let Some(rest) = left.checked_sub(c.width().unwrap_or(0)) else { break };
        left = rest;
        shown.push(c);
    }
    if width > 0 {
        shown.push('…');
    }
    shown
}

/// Returns whether standard error is a terminal whose cursor can be moved.
pub fn stderr_is_live() -> bool {
    let term = std::env::var_os("TERM");
    std::io::stderr().is_terminal() && term.is_some_and(|term| !term.is_empty() && term != "dumb")
}

/// Returns whether standard output may be coloured.
pub fn stdout_has_colour() -> bool {
    AutoStream::choice(&std::io::stdout()) != ColorChoice::Never
}

/// Returns whether standard error may be coloured.
pub fn stderr_has_colour() -> bool {
    AutoStream::choice(&std::io::stderr()) != ColorChoice::Never
}

/// Returns `text` in a colour, if colours are wanted.
pub fn painted(text: &str, colour: AnsiColor, wanted: bool) -> String {
    if !wanted {
        return text.to_owned();
    }
    let style = Style::new().fg_color(Some(colour.into()));
    format!("{style}{text}{style:#}")
}

/// Returns `text` on one line and without control characters, which are shown as escapes.
pub fn escaped(text: &str) -> Cow<'_, str> {
    if !text.contains(is_harmful) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if is_harmful(c) {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    Cow::Owned(shown)
}

/// Returns whether a character moves the cursor, starts an escape sequence or turns text around.
fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Returns `word` as a shell takes it.
pub fn shell_word(word: &str) -> Cow<'_, str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-/:@%+=,".contains(c);
    if !word.is_empty() && !word.starts_with(['-', '=']) && word.chars().all(plain) {
        return Cow::Borrowed(word);
    }
    Cow::Owned(format!("'{}'", word.replace('\'', r"'\''")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_move_the_cursor_or_start_an_escape_sequence() {
        assert_eq!(escaped("plain é"), "plain é");
        assert_eq!(escaped("a\x1b[2J\nb\r"), r"a\u{1b}[2J\nb\r");
        assert_eq!(escaped("a\u{202e}b"), r"a\u{202e}b");
    }

    #[test]
    fn text_is_cut_to_the_columns_that_it_has() {
        let check = |text: &str, width: usize, expected: &str| {
            assert_eq!(fitted(text, width), expected);
        };
        check("train", 5, "train");
        check("train", 4, "tra…");
        check("訓練する", 6, "訓練…");
        check("train", 0, "");
    }

    #[test]
    fn words_survive_a_shell() {
        assert_eq!(shell_word("train_2"), "train_2");
        assert_eq!(shell_word("it's $HOME"), r"'it'\''s $HOME'");
        assert_eq!(shell_word(""), "''");
    }
}
