//! What is drawn at the bottom of a terminal, and the lines that stay above it.
//!
//! The cursor rests on an empty line *above* what is drawn. So what others write without asking (a
//! child process, the terminal's own `^C`) gets a line of its own, and clearing is always
//! "everything from here down": no line is left behind, however many were drawn or wrapped.

use std::io::Write;

/// Goes to the line's beginning and takes away all that is there and below.
const CLEAR: &str = "\r\x1b[J";

/// The bottom of a terminal.
pub(super) struct Canvas {
    out: Box<dyn Write + Send>,
    is_drawn: bool,
}

impl Canvas {
    pub(super) fn new(out: Box<dyn Write + Send>) -> Self {
        Self { out, is_drawn: false }
    }

    /// Leaves `kept` above and draws `lines` below, in one piece.
    pub(super) fn draw(&mut self, kept: &[String], lines: &[String]) {
        let mut text = CLEAR.to_owned();
        add_lines(&mut text, kept);
        for line in lines {
            text.push('\n');
            text.push_str(line);
        }
        if !lines.is_empty() {
            text.push_str(&format!("\r\x1b[{}A", lines.len()));
        }
        self.is_drawn = !lines.is_empty();
        self.write(&text);
    }

    /// Takes away what is drawn and leaves `kept`.
    pub(super) fn clear(&mut self, kept: &[String]) {
        if self.is_drawn {
            self.draw(kept, &[]);
        } else {
            self.keep(kept);
        }
    }

    /// Leaves lines where nothing is drawn.
    pub(super) fn keep(&mut self, lines: &[String]) {
        let mut text = String::new();
        add_lines(&mut text, lines);
        self.write(&text);
    }

    /// Writes in one piece; a terminal that is gone is no reason to end a run.
    fn write(&mut self, text: &str) {
        if !text.is_empty() {
            let _ = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush());
        }
    }
}

fn add_lines(text: &mut String, lines: &[String]) {
    for line in lines {
        text.push_str(line);
        text.push('\n');
    }
}
