//! Scripts for a shell, and what is inserted into them.
//!
//! A value never becomes part of the script: it is a parameter of the shell, and the script has the
//! name of a variable in its place, in quotes unless it stands in some already. So nothing that a
//! value holds means anything to the shell, whatever stands around it. See *2.2 Quoting* in the Shell
//! Command Language of POSIX.1-2024.

use partita_core::deployment::CommandPart;

/// The beginnings of the names of the variables that have what is inserted.
const VARIABLE: &str = "partita_";

/// A script, and what is inserted into it.
#[derive(Debug)]
pub(crate) struct Script<'p> {
    /// What the shell reads.
    pub(crate) text: String,
    /// What is inserted, in the order of the shell's parameters.
    pub(crate) inserted: Vec<&'p CommandPart>,
}

/// Something that stands where a shell takes it for text.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{part} stands {place} of the script, where the shell takes it as text")]
pub(crate) struct Misplaced {
    part: String,
    place: &'static str,
}

impl<'p> Script<'p> {
    /// Makes a script of its parts.
    pub(crate) fn of(parts: &'p [CommandPart]) -> Result<Self, Misplaced> {
        let (mut body, mut inserted, mut reader) = (String::new(), Vec::new(), Reader::default());
        for part in parts {
            if let CommandPart::Text(text) = part {
                text.chars().for_each(|character| reader.read(character));
                body.push_str(text);
                continue;
            }
            let quote = match reader.place() {
                Ok(is_quoted) => {
                    if is_quoted {
                        ""
                    } else {
                        "\""
                    }
                }
                Err(place) => return Err(Misplaced { part: part.to_string(), place }),
            };
            inserted.push(part);
            body.push_str(&format!("{quote}${{{VARIABLE}{}}}{quote}", inserted.len()));
            reader.insert();
        }
        // In variables they stay what they are when the script sets its parameters, as functions do.
        let set = |number: usize| format!("{VARIABLE}{number}=${{{number}}}; ");
        let head: String = (1..=inserted.len()).map(set).collect();
        let shift =
            if inserted.is_empty() { String::new() } else { format!("shift {}; ", inserted.len()) };
        Ok(Self { text: head + &shift + &body, inserted })
    }
}

/// What a shell is in the middle of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Inside {
    /// `'…'`
    Single,
    /// `"…"`
    Double,
    /// `(…)` or `$(…)`
    Parentheses,
    /// `` `…` ``
    Backticks,
    /// `# …`
    Comment,
}

/// Reads a script as a shell does, as far as quotes go.
#[derive(Debug, Default)]
struct Reader {
    inside: Vec<Inside>,
    before: Option<char>,
    /// Whether the character before was a backslash that takes the meaning of this one.
    is_escaped: bool,
    /// Less-than signs that came one after the other.
    arrows: usize,
    has_here_document: bool,
}

impl Reader {
    /// Returns whether what stands here is in quotes where the shell still inserts, or where it is
    /// that the shell does not.
    fn place(&self) -> Result<bool, &'static str> {
        match self.inside.last() {
            _ if self.is_escaped => Err("after a backslash"),
            _ if self.has_here_document => Err("after the beginning of a here-document"),
            Some(Inside::Single) => Err("between single quotes"),
            Some(Inside::Comment) => Err("in a comment"),
            inside => Ok(inside == Some(&Inside::Double)),
        }
    }

    /// Passes something that is inserted.
    fn insert(&mut self) {
        (self.before, self.arrows) = (Some('"'), 0);
    }

    fn read(&mut self, character: char) {
        let is_escaped = std::mem::take(&mut self.is_escaped);
        let before = self.before.replace(character);
        let inside = self.inside.last().copied();
        match (inside, character) {
            (Some(Inside::Single), '\'') | (Some(Inside::Comment), '\n') => {
                self.inside.pop();
            }
            (Some(Inside::Single | Inside::Comment), _) => {}
            _ if is_escaped => {}
            (_, '\\') => self.is_escaped = true,
            (_, '`') => match self.inside.iter().rposition(|&inside| inside == Inside::Backticks) {
                Some(begun) => self.inside.truncate(begun),
                None => self.inside.push(Inside::Backticks),
            },
            (Some(Inside::Double), '"') => {
                self.inside.pop();
            }
            (Some(Inside::Double), '(') if before == Some('$') => {
                self.inside.push(Inside::Parentheses);
            }
            (Some(Inside::Double), _) => {}
            (_, '"') => self.inside.push(Inside::Double),
            (_, '\'') => self.inside.push(Inside::Single),
            (_, '(') => self.inside.push(Inside::Parentheses),
            (Some(Inside::Parentheses), ')') => {
                self.inside.pop();
            }
            (_, '#') if before.is_none_or(begins_word) => self.inside.push(Inside::Comment),
            _ => self.look_for_here_document(character),
        }
        let is_plain = !matches!(inside, Some(Inside::Single | Inside::Double | Inside::Comment));
        self.arrows = if is_plain && !is_escaped && character == '<' { self.arrows + 1 } else { 0 };
    }

    /// Notes `<<WORD`, which is neither `<<<` nor a shift in `$((…))`.
    fn look_for_here_document(&mut self, character: char) {
        let is_sum = self.inside.ends_with(&[Inside::Parentheses; 2]);
        self.has_here_document |= self.arrows == 2 && character != '<' && !is_sum;
    }
}

/// Returns whether a word begins after a character.
fn begins_word(character: char) -> bool {
    character.is_whitespace() || ";&|()<>`".contains(character)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// What would do something wherever a shell read it.
    const ODD: [&str; 9] = [
        "",
        "plain",
        "a b  c",
        "$(touch x); `touch x` | z > \"w\"",
        "it's",
        "-rf *",
        "a\nb",
        "\\",
        "#'\"`",
    ];

    fn parts(text: &str) -> Vec<CommandPart> {
        let mut parts = Vec::new();
        for (index, text) in text.split('@').enumerate() {
            if index > 0 {
                parts.push(CommandPart::Input("it".to_owned()));
            }
            parts.push(CommandPart::Text(text.to_owned()));
        }
        parts
    }

    /// Runs a script with a value in place of each `@`; returns what it prints.
    fn said(script: &str, value: &str) -> String {
        let parts = parts(script);
        let script = Script::of(&parts).expect("a script");
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", &script.text, "sh"]).args(script.inserted.iter().map(|_| value));
        String::from_utf8(shell.output().expect("a shell").stdout).expect("text")
    }

    #[test]
    fn what_is_inserted_is_what_it_is_wherever_it_stands() {
        for script in [
            "printf %s @",
            "printf %s \"@\"",
            "printf '%s' @ # don't",
            "# it's \"\nprintf %s @",
            "printf %s \"$(printf %s @; printf x)\" | sed '$s/x$//'",
            "printf %s \"$(printf %s \"@\"; printf x)\" | sed '$s/x$//'",
            "set -- 1 2; printf %s @",
            "tell() { printf %s @; }; tell 1 2",
            ": \\'; printf %s @",
            "printf %s \"${unset:-\"@\"}\"",
            "case $((1 << 2)) in 4) printf %s @;; esac",
        ] {
            for value in ODD {
                assert_eq!(said(script, value), value, "{script}");
            }
        }
    }

    #[test]
    fn a_script_that_something_is_inserted_into_has_no_parameters() {
        assert_eq!(said("printf %s @; echo $#", "a"), "a0\n");
        assert_eq!(said("echo $#", ""), "0\n");
        assert_eq!(said("printf %s @-@", "1"), "1-1");
    }

    #[test]
    fn what_stands_where_the_shell_takes_it_as_text_is_refused() {
        for (script, place) in [
            ("echo '@'", "between single quotes"),
            ("echo \"a\" 'b @ c'", "between single quotes"),
            ("echo \\@", "after a backslash"),
            ("echo # @", "in a comment"),
            ("cat <<EOF\n@\nEOF", "after the beginning of a here-document"),
            ("cat << 'EOF'\n@\nEOF", "after the beginning of a here-document"),
        ] {
            let told = Script::of(&parts(script)).expect_err(script).to_string();
            assert!(told.starts_with(&format!("the input `it` stands {place}")), "{told}");
        }
    }
}
