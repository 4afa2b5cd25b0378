//! Tables for people: made to fit the terminal, and one row a line where a program may read on.
//!
//! Words are never broken: whoever copies an id or a name gets all of it. Where a table is too wide,
//! its last column wraps between words, then columns that [`Table::spare`] names are left out, and
//! where that is not enough each row becomes lines of `key: value`.

use unicode_width::UnicodeWidthStr;

use crate::terminal;

/// Columns between two columns of a table.
const GAP: usize = 2;
/// The narrowest that a last column is wrapped.
const NARROW: usize = 20;

/// Rows under a header.
pub struct Table {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
    width: Option<usize>,
    right: Vec<usize>,
    spare: Vec<usize>,
}

impl Table {
    /// Returns a table without rows, as wide as the terminal.
    pub fn new<const N: usize>(header: [&str; N]) -> Self {
        Self::with_width(header, terminal::stdout_width())
    }

    /// Returns a table without rows, with at most `width` columns where words allow it.
    pub fn with_width<const N: usize>(header: [&str; N], width: Option<u16>) -> Self {
        Self {
            header: header.map(str::to_owned).into(),
            rows: Vec::new(),
            width: width.map(usize::from),
            right: Vec::new(),
            spare: Vec::new(),
        }
    }

    /// Returns pairs of a key and its value, without a header.
    pub fn pairs<K: AsRef<str>>(pairs: impl IntoIterator<Item = (K, String)>) -> String {
        let pairs: Vec<(K, String)> =
            pairs.into_iter().map(|(key, value)| (key, terminal::escaped(&value).into())).collect();
        let pairs: Vec<(&str, &str)> =
            pairs.iter().map(|(key, value)| (key.as_ref(), value.as_str())).collect();
        record(&pairs, terminal::stdout_width().map(usize::from))
    }

    /// Adds a row; control characters in it are escaped.
    pub fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.map(|cell| terminal::escaped(&cell).into_owned()).into());
    }

    /// Aligns a column to its right edge.
    pub fn align_right(&mut self, column: usize) {
        self.right.push(column);
    }

    /// Names a column that is left out where there is no room, after those named before.
    pub fn spare(&mut self, column: usize) {
        self.spare.push(column);
    }

    /// Returns whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Returns the table as lines, each with a line break at its end.
    pub fn to_text(self) -> String {
        let mut columns: Vec<usize> = (0..self.header.len()).collect();
        let Some(width) = self.width else { return self.grid(&columns, None) };
        let mut spare = self.spare.iter();
        loop {
            if let Some(last) = self.room_for_last(&columns, width) {
                return self.grid(&columns, Some(last));
            }
            match spare.next() {
                Some(left_out) => columns.retain(|column| column != left_out),
                None => return self.records(width),
            }
        }
    }

    /// Returns the columns that the last of `columns` has in a table of `width`, if they do.
    fn room_for_last(&self, columns: &[usize], width: usize) -> Option<usize> {
        let (last, others) = columns.split_last()?;
        let taken: usize = others.iter().map(|column| self.natural(*column) + GAP).sum();
        let natural = self.natural(*last);
        let longest = self.rows.iter().map(|row| longest_word(&row[*last])).max().unwrap_or(0);
        let least = natural.min(longest.max(NARROW));
        width.checked_sub(taken).filter(|room| *room >= least)
    }

    /// Returns the columns that a column takes when nothing wraps.
    fn natural(&self, column: usize) -> usize {
        let cells = self.rows.iter().map(|row| &row[column]).chain([&self.header[column]]);
        cells.map(|cell| cell.width()).max().unwrap_or(0)
    }

    fn grid(&self, columns: &[usize], last: Option<usize>) -> String {
        let widths: Vec<usize> = columns.iter().map(|column| self.natural(*column)).collect();
        let mut text = String::new();
        let header: Vec<String> = self.header.iter().map(|word| word.to_uppercase()).collect();
        for row in [&header].into_iter().chain(&self.rows) {
            let mut cells: Vec<Vec<String>> =
                columns.iter().map(|column| vec![row[*column].clone()]).collect();
            if let (Some(cell), Some(last)) = (cells.last_mut(), last) {
                *cell = wrapped(&cell.concat(), last);
            }
            for line in 0..cells.last().map_or(1, Vec::len) {
                let mut shown = String::new();
                for (at, cell) in cells.iter().enumerate() {
                    let cell = cell.get(line).map_or("", String::as_str);
                    let padding = " ".repeat(widths[at].saturating_sub(cell.width()));
                    let is_right = self.right.contains(&columns[at]);
                    let (before, after) = if is_right { (&*padding, "") } else { ("", &*padding) };
                    shown.push_str(&format!("{before}{cell}{after}{:GAP$}", ""));
                }
                text.push_str(shown.trim_end());
                text.push('\n');
            }
        }
        text
    }

    fn records(&self, width: usize) -> String {
        let records = self.rows.iter().map(|row| {
            let pairs = self.header.iter().map(String::as_str).zip(row.iter().map(String::as_str));
            record(&pairs.filter(|(_, value)| !value.is_empty()).collect::<Vec<_>>(), Some(width))
        });
        records.collect::<Vec<_>>().join("\n")
    }
}

/// Returns lines of `key: value`, the values below one another; a value with a word that has no room
/// beside its key begins on a line of its own.
fn record(pairs: &[(&str, &str)], width: Option<usize>) -> String {
    let column = pairs.iter().map(|(key, _)| key.width() + 1 + GAP).max().unwrap_or(0);
    let width = width.unwrap_or(usize::MAX);
    let mut text = String::new();
    for (key, value) in pairs {
        let mut title = format!("{key}:");
        let has_room = longest_word(value) <= width.saturating_sub(column);
        let indent = if has_room { column } else { GAP };
        if !has_room {
            text.push_str(&std::mem::take(&mut title));
            text.push('\n');
        }
        for line in wrapped(value, width.saturating_sub(indent)) {
            let padding = " ".repeat(indent.saturating_sub(title.width()));
            text.push_str(format!("{title}{padding}{line}").trim_end());
            text.push('\n');
            title.clear();
        }
    }
    text
}

fn longest_word(text: &str) -> usize {
    text.split(' ').map(UnicodeWidthStr::width).max().unwrap_or(0)
}

/// Returns text in lines of at most `width` columns, unless a word is longer; at least one line.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    if text.width() <= width {
        return vec![text.to_owned()];
    }
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.width() + 1 + word.width() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(width: Option<u16>, expected: &str) {
        let mut table = Table::with_width(["name", "tries", "id", "why"], width);
        table.align_right(1);
        table.spare(2);
        table.row(["load", "1", "0199-aaaa-bbbb", "nothing changed"].map(str::to_owned));
        table.row(["訓練", "12", "", "the source of `helpers.scale` changed"].map(str::to_owned));
        assert_eq!(table.to_text(), expected);
    }

    #[test]
    fn rows_are_lines_where_a_program_may_read_on() {
        let whole = "\
NAME  TRIES  ID              WHY
load      1  0199-aaaa-bbbb  nothing changed
訓練     12                  the source of `helpers.scale` changed
";
        check(None, whole);
        check(Some(200), whole);
    }

    #[test]
    fn the_last_column_wraps_between_words() {
        check(
            Some(55),
            "\
NAME  TRIES  ID              WHY
load      1  0199-aaaa-bbbb  nothing changed
訓練     12                  the source of
                             `helpers.scale` changed
",
        );
    }

    #[test]
    fn a_spare_column_is_left_out_before_words_would_break() {
        check(
            Some(40),
            "\
NAME  TRIES  WHY
load      1  nothing changed
訓練     12  the source of
             `helpers.scale` changed
",
        );
    }

    #[test]
    fn very_narrow_terminals_get_lines_of_key_and_value() {
        check(
            Some(24),
            "\
name:   load
tries:  1
id:     0199-aaaa-bbbb
why:    nothing changed

name:   訓練
tries:  12
why:    the source of
        `helpers.scale`
        changed
",
        );
    }

    #[test]
    fn a_long_word_gets_a_line_and_is_longer_than_the_terminal_rather_than_broken() {
        check(
            Some(15),
            "\
name:   load
tries:  1
id:
  0199-aaaa-bbbb
why:    nothing
        changed

name:   訓練
tries:  12
why:
  the source of
  `helpers.scale`
  changed
",
        );
    }

    #[test]
    fn a_table_without_rows_has_its_header() {
        assert_eq!(Table::with_width(["name", "id"], Some(40)).to_text(), "NAME  ID\n");
        assert_eq!(Table::with_width(["name", "id"], Some(4)).to_text(), "");
    }
}
