//! What this machine has for steps: processors, memory, graphics processors.

use std::fs;
use std::num::NonZero;

/// Returns the processors that this process may use.
pub(crate) fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get)
}

/// Returns the bytes of memory that this process and its children may use together: the machine's,
/// or those of the control group.
pub(crate) fn memory() -> u64 {
    let all = fs::read_to_string("/proc/meminfo").ok().and_then(|text| total(&text));
    let limits = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];
    let limits = limits.iter().filter_map(|path| {
        fs::read_to_string(path).ok().and_then(|text| text.trim().parse::<u64>().ok())
    });
    limits.chain(all).min().unwrap_or(u64::MAX)
}

/// Returns the bytes that `/proc/meminfo` gives as `MemTotal`, in units of 1,024.
fn total(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1_024)
}

/// Returns the ids of the graphics processors that CUDA programs started here see.
pub(crate) fn gpus() -> Vec<String> {
    match std::env::var("CUDA_VISIBLE_DEVICES") {
        Ok(visible) => listed(&visible),
        Err(_) => devices(),
    }
}

/// Returns the ids in a value of `CUDA_VISIBLE_DEVICES`; CUDA itself stops at the first that is
/// none, such as `-1`.
fn listed(visible: &str) -> Vec<String> {
    let ids = visible.split(',').map(str::trim);
    ids.take_while(|id| !id.is_empty() && !id.starts_with('-')).map(str::to_owned).collect()
}

/// Returns the numbers of the devices that NVIDIA's driver has made.
fn devices() -> Vec<String> {
    let entries = fs::read_dir("/proc/driver/nvidia/gpus");
    let count = entries.map_or(0, |entries| entries.filter_map(Result::ok).count());
    (0..count).map(|number| number.to_string()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn visible_devices_are_read_as_cuda_reads_them() {
        for (text, ids) in [
            ("0,1", &["0", "1"][..]),
            (" 2 , GPU-7f ", &["2", "GPU-7f"]),
            ("", &[]),
            ("-1", &[]),
            ("1,-1,0", &["1"]),
        ] {
            assert_eq!(listed(text), ids, "{text}");
        }
    }

    #[test]
    fn memory_is_what_the_kernel_says() {
        assert_eq!(total("MemTotal:       2048 kB\nMemFree:  7 kB\n"), Some(2_097_152));
        assert_eq!(total("nothing"), None);
        assert!(memory() > 1 << 20);
    }
}
