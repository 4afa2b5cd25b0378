//! Tables for people: wrapped to the terminal, and unwrapped where a program may read on.

use comfy_table::{CellAlignment, ContentArrangement, Table as Grid, presets};

use crate::terminal;

/// Rows under a header.
pub struct Table {
    grid: Grid,
    is_empty: bool,
}

impl Table {
    /// Returns a table without rows, as wide as the terminal.
    pub fn new<const N: usize>(header: [&str; N]) -> Self {
        Self::with_width(header, terminal::stdout_width())
    }

    /// Returns a table without rows, with at most `width` columns.
    pub fn with_width<const N: usize>(header: [&str; N], width: Option<u16>) -> Self {
        let mut grid = Self::grid(width);
        grid.set_header(header.map(str::to_uppercase));
        Self { grid, is_empty: true }
    }

    /// Returns pairs of a key and its value, without a header.
    pub fn pairs<K: AsRef<str>>(pairs: impl IntoIterator<Item = (K, String)>) -> String {
        let mut grid = Self::grid(terminal::stdout_width());
        for (key, value) in pairs {
            grid.add_row([format!("{}:", key.as_ref()), terminal::escaped(&value).into_owned()]);
        }
        Self { grid, is_empty: false }.to_text()
    }

    /// Adds a row; control characters in it are escaped.
    pub fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.is_empty = false;
        self.grid.add_row(cells.map(|cell| terminal::escaped(&cell).into_owned()));
    }

    /// Aligns a column to its right edge.
    pub fn align_right(&mut self, column: usize) {
        if let Some(column) = self.grid.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }

    /// Returns whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.is_empty
    }

    /// Returns the table as lines, each with a line break at its end.
    pub fn to_text(mut self) -> String {
        if let Some(first) = self.grid.column_mut(0) {
            first.set_padding((0, 1));
        }
        let mut text = String::new();
        for line in self.grid.lines() {
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }

    fn grid(width: Option<u16>) -> Grid {
        let mut grid = Grid::new();
        grid.load_style(presets::NOTHING);
        match width {
            Some(width) => {
                grid.set_content_arrangement(ContentArrangement::Dynamic);
                grid.set_width(width);
            }
            None => {
                grid.set_content_arrangement(ContentArrangement::Disabled);
            }
        }
        grid
    }
}
