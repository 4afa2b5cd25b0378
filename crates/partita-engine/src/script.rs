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

/// Something that stands where a shell does not insert it as it is.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{part} stands {place} in the script, where a shell does not insert it as it is")]
pub(crate) struct Misplaced {
    part: String,
    place: &'static str,
    /// What to do.
    pub(crate) help: &'static str,
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
                Ok(is_quoted) => ["\"", ""][usize::from(is_quoted)],
                Err((place, help)) => {
                    return Err(Misplaced { part: part.to_string(), place, help });
                }
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
    /// `$(…)`
    Substitution,
    /// `(…)`
    Parentheses,
    /// `((…))` and `$((…))`, from the second parenthesis on
    Sum,
    /// `${…}`
    Braces,
    /// `` `…` ``
    Backticks,
    /// `# …`
    Comment,
}

/// Reads a script as a shell does, as far as quotes go.
#[derive(Debug, Default)]
struct Reader {
    inside: Vec<Inside>,
    /// The character before, or a letter where that has no meaning of its own.
    before: Option<char>,
    /// Whether the character before was a backslash that takes the meaning of this one.
    is_escaped: bool,
    /// Less-than signs that came one after the other.
    arrows: usize,
    /// The letters of the word so far.
    word: String,
    has_here_document: bool,
    /// Whether `case` stands in parentheses, one of which may be the end of a pattern.
    has_inner_case: bool,
}

/// Where something does not belong, and what to do.
type Wrong = (&'static str, &'static str);

impl Reader {
    /// Returns whether what stands here is in quotes where a shell inserts it as it is, or where it is
    /// that a shell does not.
    fn place(&self) -> Result<bool, Wrong> {
        const VARIABLE: &str = "set a variable of the script to it, and write that";
        let is_in = |what: Inside| self.inside.contains(&what);
        let last = self.inside.last();
        if self.is_escaped {
            Err(("after a backslash", "take that away"))
        } else if self.has_here_document || self.arrows == 2 {
            Err(("after the beginning of a here-document", "write with `printf` instead"))
        } else if last == Some(&Inside::Single) {
            let help = "take them away, or write double ones: what is inserted is quoted";
            Err(("between single quotes", help))
        } else if last == Some(&Inside::Comment) {
            Err(("in a comment", "take it away"))
        } else if self.before == Some('$') {
            Err(("after `$`", "take that away, or write a backslash before it"))
        } else if is_in(Inside::Backticks) {
            Err(("between backticks", "write `$(…)` instead"))
        } else if is_in(Inside::Braces) {
            Err(("in `${…}`", VARIABLE))
        } else if last == Some(&Inside::Sum) {
            Err(("in arithmetic", VARIABLE))
        } else if self.has_inner_case {
            Err(("after a `case` in parentheses", VARIABLE))
        } else {
            Ok(last == Some(&Inside::Double))
        }
    }

    /// Passes something that is inserted.
    fn insert(&mut self) {
        (self.before, self.arrows) = (Some('x'), 0);
        self.word.clear();
    }

    fn read(&mut self, character: char) {
        let is_escaped = std::mem::take(&mut self.is_escaped);
        let inside = self.inside.last().copied();
        let is_text = matches!(inside, Some(Inside::Single | Inside::Comment));
        if is_escaped && character == '\n' {
            return; // Together they are nothing.
        }
        let before = self.before.replace(if is_escaped { 'x' } else { character });
        let is_plain = !is_escaped && !is_text && inside != Some(Inside::Double);
        self.has_here_document |= is_plain && self.arrows == 2 && character != '<';
        let is_arrow = is_plain && character == '<' && inside != Some(Inside::Sum);
        self.arrows = if is_arrow { self.arrows + 1 } else { 0 };
        self.look_for_case(character, is_plain);
        if !is_escaped {
            self.enter_or_leave(inside, before, character);
        }
    }

    fn enter_or_leave(&mut self, inside: Option<Inside>, before: Option<char>, character: char) {
        match (inside, character) {
            (Some(Inside::Single), '\'') | (Some(Inside::Comment), '\n') => self.leave(),
            (Some(Inside::Single), _) => {}
            (_, '`') => match self.inside.iter().rposition(|&inside| inside == Inside::Backticks) {
                Some(begun) => {
                    self.inside.truncate(begun);
                    self.before = Some('x');
                }
                None if inside == Some(Inside::Comment) => {}
                None => self.inside.push(Inside::Backticks),
            },
            (Some(Inside::Comment), _) => {}
            (_, '\\') => self.is_escaped = true,
            (Some(Inside::Double), '"') | (Some(Inside::Braces), '}') => self.leave(),
            (_, '(') if before == Some('$') => self.inside.push(Inside::Substitution),
            (_, '{') if before == Some('$') => self.inside.push(Inside::Braces),
            (Some(Inside::Substitution | Inside::Parentheses), '(') if before == Some('(') => {
                self.inside.push(Inside::Sum);
            }
            (Some(Inside::Double), _) => {}
            (_, '"') => self.inside.push(Inside::Double),
            (_, '\'') => self.inside.push(Inside::Single),
            (_, '(') => self.inside.push(Inside::Parentheses),
            (Some(Inside::Substitution | Inside::Sum), ')') => self.leave(),
            (Some(Inside::Parentheses), ')') => {
                self.inside.pop();
            }
            (_, '#') if before.is_none_or(begins_word) => self.inside.push(Inside::Comment),
            _ => {}
        }
    }

    /// Leaves what a word may go on after.
    fn leave(&mut self) {
        if self.inside.pop() != Some(Inside::Comment) {
            self.before = Some('x');
        }
    }

    fn look_for_case(&mut self, character: char, is_plain: bool) {
        if is_plain && character.is_alphanumeric() {
            self.word.push(character);
            return;
        }
        let is_inner = self.inside.contains(&Inside::Substitution);
        self.has_inner_case |= is_inner && self.word == "case";
        self.word.clear();
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
            "printf %s \"${unset:-it}\" > /dev/null; printf %s @",
            "case $((1 << 2)) in 4) printf %s @;; esac",
            "x=$(printf a)#b; printf %s @",
            "x=a\\ #b; printf %s @",
            "x=a\\\n#b; printf %s @",
            "x=`printf a # it`; printf %s @",
            "(true)# it's\nprintf %s @",
            "v=\"a'\"; : \"${v%'\"'}\"; printf %s @",
            "set -eu; printf %s @",
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
    fn what_a_shell_does_not_insert_as_it_is_is_refused() {
        for (script, place) in [
            ("echo '@'", "between single quotes"),
            ("echo \"a\" 'b @ c'", "between single quotes"),
            ("echo \\@", "after a backslash"),
            ("echo # @", "in a comment"),
            ("echo \"costs $@\"", "after `$`"),
            ("echo $((@ + 1))", "in arithmetic"),
            ("echo \"${v%%@}\"", "in `${…}`"),
            ("echo \"${v#'@'}\"", "between single quotes"),
            ("echo \"`echo \\\"@\\\"`\"", "between backticks"),
            ("echo \"$(case x in x) echo @;; esac)\"", "after a `case` in parentheses"),
            ("cat <<EOF\n@\nEOF", "after the beginning of a here-document"),
            ("cat <<'EOF'\n@\nEOF", "after the beginning of a here-document"),
            ("cat << \\EOF\n@\nEOF", "after the beginning of a here-document"),
            ("( (cat <<-EOF\n@\nEOF\n) )", "after the beginning of a here-document"),
            ("cat <<@\na\na", "after the beginning of a here-document"),
        ] {
            let told = Script::of(&parts(script)).expect_err(script).to_string();
            assert!(told.starts_with(&format!("the input `it` stands {place}")), "{told}");
        }
    }
}
