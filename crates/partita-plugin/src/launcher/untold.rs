//! Attempts that are over and whose end the plugin has not told, as it should have.
//!
//! What an attempt leaves in the artifact store says that it is over. Its process may go on for a while
//! all the same, with hooks, and how long these take is not known: so its end is waited for patiently,
//! and not for ever.

use std::time::{Duration, Instant};

use partita_core::launcher::{Attempt, Outcome};
use partita_core::run::Failure;

use super::flight::Stage;
use super::{Shared, State};

/// What is known of an attempt whose end is to be told.
#[derive(Default)]
pub(super) struct End {
    /// When it was looked for the last time.
    looked_at: Option<Instant>,
    /// Since when it is known that the attempt is over.
    over_since: Option<Instant>,
    /// Whether a person was told what is waited for.
    is_noticed: bool,
    /// Whether the plugin has asked for the step again, as it does once an attempt has ended.
    pub(super) is_asked_for_again: bool,
}

impl State {
    /// Returns the attempt with this id if it is to be looked now whether it is over.
    fn due_for_a_look(&mut self, id: &str, every: Duration) -> Option<Attempt> {
        if !self.plugin.tells() {
            return None;
        }
        let flight = self.flights.get_mut(id)?;
        let is_due = flight.end.looked_at.is_none_or(|looked_at| looked_at.elapsed() >= every);
        if !is_due || !matches!(flight.stage, Stage::Running { .. }) {
            return None;
        }
        flight.end.looked_at = Some(Instant::now());
        Some(flight.attempt.clone())
    }
}

impl Shared {
    /// Looks, now and then, whether an attempt is over whose end is to be told, and ends it once that
    /// was waited for long enough.
    pub(super) fn look_after(&self, id: &str) {
        let patience = self.run.patience;
        let attempt = self.state().due_for_a_look(id, patience.look());
        let Some(attempt) = attempt.filter(|attempt| self.run.record.is_over(attempt)) else {
            return;
        };
        let mut state = self.state();
        let Some(end) = state.flights.get_mut(id).map(|flight| &mut flight.end) else { return };
        let over_for = end.over_since.get_or_insert_with(Instant::now).elapsed();
        let (name, step) = (&self.run.open.component, &attempt.step().name);
        let untold = format!(
            "the orchestrator `{name}` has not told that the attempt {} at step `{step}` has ended, which it has; it is to send `status` then",
            attempt.number
        );
        if end.is_asked_for_again || over_for >= patience.tell {
            drop(state);
            self.run.record.printed(&format!("partita: {untold}"));
            // Who takes this looks at what the attempt left.
            return self.finish(id, Outcome::Failed(Failure::ours(untold)));
        }
        if over_for >= patience.notice() && !std::mem::replace(&mut end.is_noticed, true) {
            drop(state);
            let seconds = patience.tell.as_secs();
            self.run.record.printed(&format!("partita: {untold}; this is waited for {seconds} s"));
        }
    }
}
