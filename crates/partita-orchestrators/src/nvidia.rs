//! NVIDIA's driver of this machine: which it is, what it drives, and whether that is enough for what
//! images say that they need.

use std::cmp::Ordering;
use std::fs;
use std::process::{Command, Stdio};

/// NVIDIA's program that tells of the driver.
const PROGRAM: &str = "nvidia-smi";

/// Where the driver itself says which it is, and no more.
const VERSION_FILE: &str = "/proc/driver/nvidia/version";

/// The driver, as far as it is seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Driver {
    /// Its version.
    pub version: Option<String>,
    /// The latest version of CUDA that it runs.
    pub cuda: Option<String>,
    /// What it drives.
    pub gpus: Vec<Gpu>,
}

/// A graphics processor.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Gpu {
    /// What it is called.
    pub name: String,
    /// The line of products that it is of, such as `GeForce`.
    pub brand: String,
    /// Its memory, in words.
    pub memory: String,
}

/// Returns the driver of this machine; `None` where none is seen.
pub fn driver() -> Option<Driver> {
    asked().or_else(|| {
        let version = of_kernel(&fs::read_to_string(VERSION_FILE).ok()?)?;
        Some(Driver { version: Some(version), ..Driver::default() })
    })
}

/// Asks NVIDIA's program, if it is there and sees a driver.
fn asked() -> Option<Driver> {
    let told = Command::new(PROGRAM).args(["-q", "-x"]).stdin(Stdio::null()).output().ok()?;
    told.status.success().then(|| read(&String::from_utf8_lossy(&told.stdout)))
}

/// Reads what NVIDIA's program tells in XML.
fn read(xml: &str) -> Driver {
    let gpus = xml.split("<gpu ").skip(1).map(|gpu| Gpu {
        name: value(gpu, "product_name").unwrap_or_default(),
        brand: value(gpu, "product_brand").unwrap_or_default(),
        memory: gpu
            .split_once("<fb_memory_usage>")
            .and_then(|(_, usage)| value(usage, "total"))
            .unwrap_or_default(),
    });
    let gpus = gpus.collect();
    Driver { version: value(xml, "driver_version"), cuda: value(xml, "cuda_version"), gpus }
}

/// Returns the text of the first element of this name.
fn value(xml: &str, name: &str) -> Option<String> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once('<')?;
    let text = text.trim();
    (!text.is_empty() && text != "N/A").then(|| text.to_owned())
}

/// Returns the version in what the kernel's module says of itself.
fn of_kernel(text: &str) -> Option<String> {
    let line = text.lines().find(|line| line.starts_with("NVRM version"))?;
    let is_version = |word: &&str| word.contains('.') && version(word).len() > 1;
    line.split_whitespace().find(is_version).map(str::to_owned)
}

/// Returns the numbers of a version.
fn version(text: &str) -> Vec<u32> {
    text.split('.').map_while(|part| part.parse().ok()).collect()
}

impl Driver {
    /// Returns whether this driver, and what it drives, meet what an image says in `NVIDIA_REQUIRE_…`:
    /// conditions with commas between them are met together, and of groups with spaces between them
    /// one is. What is not seen here counts as met.
    pub fn meets(&self, requirement: &str) -> bool {
        let mut groups = requirement.split_whitespace().peekable();
        groups.peek().is_none()
            || groups.any(|group| group.split(',').all(|condition| self.meets_one(condition)))
    }

    fn meets_one(&self, condition: &str) -> bool {
        let is_operator = |c: char| "<>=!".contains(c);
        let Some(at) = condition.find(is_operator) else { return true };
        let (name, rest) = condition.split_at(at);
        let wanted = rest.trim_start_matches(is_operator);
        let operator = &rest[..rest.len() - wanted.len()];
        let compared = match name {
            "cuda" => self.cuda.as_ref().map(|cuda| compare(cuda, wanted)),
            "driver" => self.version.as_ref().map(|driver| compare(driver, wanted)),
            "brand" => self.is_of_brand(wanted).map(|is| match is {
                true => Ordering::Equal,
                false => Ordering::Less,
            }),
            _ => None,
        };
        compared.is_none_or(|compared| match operator {
            ">=" => compared.is_ge(),
            "<=" => compared.is_le(),
            ">" => compared.is_gt(),
            "<" => compared.is_lt(),
            "!=" => compared.is_ne(),
            _ => compared.is_eq(),
        })
    }

    /// Returns whether one of what it drives is of a brand, as requirements write it.
    fn is_of_brand(&self, wanted: &str) -> Option<bool> {
        let mut brands = self.gpus.iter().filter(|gpu| !gpu.brand.is_empty()).peekable();
        brands.peek()?;
        Some(brands.any(|gpu| gpu.brand.to_lowercase().replace(' ', "") == wanted))
    }

    /// Returns what it is, in words.
    pub fn in_words(&self) -> String {
        let version = self.version.as_deref().unwrap_or("of an unknown version");
        match &self.cuda {
            Some(cuda) => format!("the driver {version}, which runs CUDA up to {cuda}"),
            None => format!("the driver {version}"),
        }
    }
}

/// Compares two versions; what one lacks counts as zero.
pub(crate) fn compare(one: &str, other: &str) -> Ordering {
    let (one, other) = (version(one), version(other));
    let part = |numbers: &[u32], at: usize| numbers.get(at).copied().unwrap_or(0);
    let longest = one.len().max(other.len());
    let parts = |numbers: &[u32]| (0..longest).map(|at| part(numbers, at)).collect::<Vec<u32>>();
    parts(&one).cmp(&parts(&other))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOLD: &str = r#"<?xml version="1.0" ?>
<nvidia_smi_log>
  <driver_version>535.104.05</driver_version>
  <cuda_version>12.2</cuda_version>
  <attached_gpus>1</attached_gpus>
  <gpu id="00000000:00:1E.0">
    <product_name>Tesla T4</product_name>
    <product_brand>Tesla</product_brand>
    <fb_memory_usage><total>15360 MiB</total><used>0 MiB</used></fb_memory_usage>
  </gpu>
</nvidia_smi_log>"#;

    fn check(requirement: &str, expected: bool) {
        assert_eq!(read(TOLD).meets(requirement), expected, "{requirement}");
    }

    #[test]
    fn a_requirement_is_met_by_one_of_its_groups() {
        check("", true);
        check("cuda>=12.2", true);
        check("cuda>=12.10", false);
        check("cuda>=12.4 brand=tesla,driver>=470,driver<471", false);
        check("cuda>=12.4 brand=tesla,driver>=535,driver<536", true);
        check("cuda>=12.4 brand=geforce,driver>=535,driver<536", false);
        check("brand!=tesla", false);
        check("driver=535.104.5", true);
        check("arch>=7.0", true);
    }

    #[test]
    fn what_is_not_seen_counts_as_met() {
        let unseen = Driver { version: Some("535".to_owned()), ..Driver::default() };
        assert!(unseen.meets("cuda>=99 brand=tesla,driver>=600"));
        assert!(!unseen.meets("driver>=600"));
    }

    #[test]
    fn what_the_driver_tells_is_read() {
        let driver = read(TOLD);
        assert_eq!(driver.gpus[0].name, "Tesla T4");
        assert_eq!(driver.gpus[0].memory, "15360 MiB");
        assert_eq!(driver.in_words(), "the driver 535.104.05, which runs CUDA up to 12.2");
        assert_eq!(read("<cuda_version>N/A</cuda_version>"), Driver::default());
        let kernel = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19\n";
        assert_eq!(of_kernel(kernel).as_deref(), Some("535.104.05"));
        assert_eq!(of_kernel("GCC version: 12.3.0"), None);
    }
}
