//! The graphics processors that are seen where a step runs.

use std::fs;
use std::path::Path;

/// Where the system has its devices.
pub(super) const DEVICES: &str = "/dev";

/// The device of Windows' driver, which stands for all graphics processors.
const OF_WINDOWS: &str = "dxg";

/// Returns why a step that asked for graphics processors cannot begin, if none is seen among
/// `devices`. It would find out by itself, but late, and in the words of whatever it calls.
pub(super) fn missing(step: &str, asked: u32, devices: &Path) -> Option<String> {
    if asked == 0 || any(devices) {
        return None;
    }
    let gpus = if asked == 1 { "a GPU".to_owned() } else { format!("{asked} GPUs") };
    Some(format!(
        "step `{step}` asked for {gpus} and sees none where it runs: there is no `{}`; `partita doctor --gpu` says what this takes",
        devices.join("nvidia0").display()
    ))
}

/// Returns whether there is a device of a graphics processor.
fn any(devices: &Path) -> bool {
    let entries = fs::read_dir(devices).into_iter().flatten().filter_map(Result::ok);
    entries.map(|entry| entry.file_name()).any(|name| name.to_str().is_some_and(is_gpu))
}

/// Returns whether a device is a graphics processor; others of the driver are called `nvidiactl`, say.
fn is_gpu(name: &str) -> bool {
    let number = name.strip_prefix("nvidia").unwrap_or_default();
    name == OF_WINDOWS || number.parse::<u32>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(files: &[&str], asked: u32, expected: Option<&str>) {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            fs::write(folder.path().join(file), "").unwrap();
        }
        let missing = missing("train", asked, folder.path());
        match (missing, expected) {
            (Some(missing), Some(expected)) => assert!(missing.contains(expected), "{missing}"),
            (missing, expected) => assert_eq!(missing.as_deref(), expected, "{files:?}"),
        }
    }

    #[test]
    fn a_step_that_asked_for_a_gpu_begins_where_there_is_one() {
        check(&["null"], 0, None);
        check(&["null", "nvidia3"], 1, None);
        check(&["dxg"], 2, None);
        check(&["nvidiactl", "nvidia-uvm", "nvidia"], 1, Some("asked for a GPU and sees none"));
        check(&[], 2, Some("asked for 2 GPUs and sees none"));
    }
}
