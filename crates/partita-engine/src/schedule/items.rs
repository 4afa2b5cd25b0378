//! The items of mapped steps: which step each belongs to, as arrays like those of the steps.

use partita_core::launcher::Unit;

/// The items of a run, numbered after its steps in the order in which those were expanded.
#[derive(Debug, Clone)]
pub(super) struct Items {
    /// How many steps there are, and so the first item's number.
    steps: usize,
    /// The step and the place in its list of each item.
    items: Vec<(u32, u32)>,
    /// The number of each item's first attempt.
    first_attempts: Vec<u32>,
    /// The number of the first item of each step that is expanded.
    first_numbers: Vec<Option<u32>>,
}

impl Items {
    /// Returns the items of a run in which no step is expanded.
    pub(super) fn of(steps: usize) -> Self {
        Self {
            steps,
            items: Vec::new(),
            first_attempts: Vec::new(),
            first_numbers: vec![None; steps],
        }
    }

    /// Adds the next item of a step.
    pub(super) fn add(&mut self, step: usize, item: u32, first_attempt: u32) {
        let number = self.steps + self.items.len();
        self.first_numbers[step].get_or_insert(number as u32);
        self.items.push((step as u32, item));
        self.first_attempts.push(first_attempt);
    }

    /// Returns what a number stands for.
    pub(super) fn unit(&self, number: usize) -> Unit {
        match number.checked_sub(self.steps).map(|item| self.items[item]) {
            None => Unit::from(number),
            Some((step, item)) => Unit::item(step as usize, item),
        }
    }

    /// Returns the number of a step, or of an item if its step is expanded and has it.
    pub(super) fn number(&self, unit: Unit) -> Option<usize> {
        let Some(item) = unit.item else {
            return (unit.step < self.steps).then_some(unit.step);
        };
        let first = (*self.first_numbers.get(unit.step)?)?;
        let number = first as usize + item as usize;
        let found = self.items.get(number.checked_sub(self.steps)?)?;
        (*found == (unit.step as u32, item)).then_some(number)
    }

    /// Returns the number of an item's first attempt, or `None` for a step.
    pub(super) fn first_attempt(&self, number: usize) -> Option<u32> {
        Some(self.first_attempts[number.checked_sub(self.steps)?])
    }
}
