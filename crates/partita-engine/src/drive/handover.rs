//! Handing small steps over between threads without putting either to sleep.

use std::hint::spin_loop;
use std::num::NonZero;
use std::sync::LazyLock;
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

/// How long a thread looks before it sleeps. Steps that do next to nothing end within that, and to
/// sleep and to be woken would take as long again.
///
/// Nothing where there is one processor, which the other thread needs.
static PATIENCE: LazyLock<Duration> = LazyLock::new(|| match available_parallelism() {
    Ok(NonZero::<usize>::MIN) | Err(_) => Duration::ZERO,
    Ok(_) => Duration::from_micros(200),
});

/// How often a look is skipped between two, so that looking does not hold up whoever is looked for.
const PAUSE: usize = 32;

/// Returns what `look` finds, if it comes within moments.
///
/// It does not give its processor away meanwhile: on a busy machine that would last longer than to
/// sleep and be woken.
pub fn look_for<T>(mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let start = Instant::now();
    loop {
        let found = look();
        if found.is_some() || start.elapsed() >= *PATIENCE {
            return found;
        }
        for _ in 0..PAUSE {
            spin_loop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_found_and_what_never_comes_is_given_up() {
        assert_eq!(look_for(|| Some(1)), Some(1));
        assert_eq!(look_for(|| None::<u32>), None);
    }
}
