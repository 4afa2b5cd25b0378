//! What this machine has.

use std::path::Path;

/// Returns the number of processor cores that this process may use.
pub fn cpus() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// Returns the bytes of memory that all processes here may use together: the smaller of the
/// machine's and the control group's. `None` if the system does not say.
pub fn memory() -> Option<u64> {
    let installed = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
        line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1_024)
    });
    let limit = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"]
        .iter()
        .find_map(|file| std::fs::read_to_string(file).ok()?.trim().parse::<u64>().ok());
    match (installed, limit) {
        (Some(installed), Some(limit)) => Some(installed.min(limit)),
        (installed, limit) => installed.or(limit),
    }
}

/// Returns the names of the graphics processors that this process may use, as
/// `CUDA_VISIBLE_DEVICES` takes them: those that `visible`, its value, names, else all.
pub fn gpus(visible: Option<&str>) -> Vec<String> {
    if let Some(visible) = visible {
        let names = visible.split(',').map(str::trim).filter(|name| !name.is_empty());
        return names.map(str::to_owned).take_while(|name| name != "-1").collect();
    }
    // The driver makes a device file for each: /dev/nvidia0, /dev/nvidia1, …
    (0..)
        .take_while(|n| Path::new(&format!("/dev/nvidia{n}")).exists())
        .map(|n| n.to_string())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::gpus;

    #[test]
    fn a_variable_that_names_devices_hides_the_others() {
        assert_eq!(gpus(Some("2, GPU-8f2a")), ["2", "GPU-8f2a"]);
        assert_eq!(gpus(Some("")), [""; 0]);
        assert_eq!(gpus(Some("1,-1,2")), ["1"]);
    }
}
