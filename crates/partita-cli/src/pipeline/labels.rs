//! Whose line it is that an orchestrator's processes printed: entrypoints put the name of their step, or
//! of the item of one, before each line.

use std::collections::HashSet;

use partita_core::deployment::Deployment;

/// What comes between a name and what was printed; names may have it in them.
const BETWEEN: &str = " | ";

/// The names that may be before a line.
pub(super) struct Labels {
    steps: HashSet<String>,
    /// How often [`BETWEEN`] is in a name at most.
    most: usize,
}

impl Labels {
    pub(super) fn of(deployment: &Deployment) -> Self {
        Self::from_names(deployment.steps.iter().map(|step| step.name.as_str()))
    }

    fn from_names<'n>(names: impl Iterator<Item = &'n str>) -> Self {
        let steps: HashSet<String> = names.map(str::to_owned).collect();
        let most = steps.iter().map(|name| name.matches(BETWEEN).count()).max();
        Self { most: most.unwrap_or(0), steps }
    }

    /// Returns the step, or the item of one, that printed a line, and what it printed. Where one name
    /// begins like another, it is the longer one.
    pub(super) fn split<'l>(&self, line: &'l str) -> Option<(&'l str, &'l str)> {
        let ends = line.match_indices(BETWEEN).take(self.most + 1);
        let found = ends.map(|(end, _)| &line[..end]).filter(|unit| self.has(unit)).last()?;
        Some((found, &line[found.len() + BETWEEN.len()..]))
    }

    fn has(&self, unit: &str) -> bool {
        let item = unit.strip_suffix(']').and_then(|unit| unit.rsplit_once('['));
        let mut names = std::iter::once(unit).chain(item.map(|(step, _)| step));
        names.any(|name| self.steps.contains(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: Option<(&str, &str)>) {
        let labels = Labels::from_names(["a", "a | b", "c | d | e"].into_iter());
        assert_eq!(labels.split(line), expected);
    }

    #[test]
    fn a_line_is_that_of_the_step_whose_name_is_before_it() {
        check("a | hi", Some(("a", "hi")));
        check("a[2] | hi | there", Some(("a[2]", "hi | there")));
        check("a | b | hi", Some(("a | b", "hi")));
        check("a | b[0] | hi", Some(("a | b[0]", "hi")));
        check("c | d | e | hi", Some(("c | d | e", "hi")));
        check("c | hi", None);
        check("connected", None);
    }
}
