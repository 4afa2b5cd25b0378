//! How many files the engine may have open, which the processes of steps take some of.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Files that the engine has open for an attempt: both ends of what it prints into.
const FOR_ATTEMPT: u64 = 4;

/// Files that it has open besides, at the most.
const FOR_ITSELF: u64 = 100;

fn needed(parallelism: usize) -> u64 {
    u64::try_from(parallelism)
        .unwrap_or(u64::MAX)
        .saturating_mul(FOR_ATTEMPT)
        .saturating_add(FOR_ITSELF)
}

/// Refuses more attempts at once than this process may have files for.
///
/// # Errors
/// How many are allowed, and what to do.
pub(super) fn check(parallelism: usize) -> Result<(), String> {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).unwrap_or((u64::MAX, u64::MAX));
    if needed(parallelism) <= most {
        return Ok(());
    }
    Err(format!(
        "`max_parallelism` is {parallelism}, for which {} files have to be open at once, and this machine \
         allows {most}; lower it to {}, or raise the limit (`ulimit -Hn`)",
        needed(parallelism),
        most.saturating_sub(FOR_ITSELF) / FOR_ATTEMPT
    ))
}

/// Allows this process as many files as it needs, which is more than usual for many attempts.
pub(super) fn allow(parallelism: usize) -> std::io::Result<()> {
    let (allowed, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    if allowed < needed(parallelism) {
        setrlimit(Resource::RLIMIT_NOFILE, needed(parallelism).min(most), most)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_attempts_at_once_than_there_are_files_for_are_refused() {
        assert_eq!(check(2), Ok(()));
        let why = check(1 << 40).unwrap_err();
        assert!(why.contains("`max_parallelism` is 1099511627776"), "{why}");
    }
}
