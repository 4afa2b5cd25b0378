//! Settings: what a pipeline or a step asks of the place it runs in.

mod docker;

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use docker::{Docker, PackageInstaller};

/// What a step needs of a machine. An absent value asks for nothing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Resources {
    /// Processor cores; fractions are allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_count: Option<f64>,
    /// Graphics processors; 0 asks for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpu_count: Option<u32>,
    /// The kind of graphics processor, in the backend's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpu_class: Option<String>,
    /// Memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Memory>,
}

impl Resources {
    /// Returns the graphics processors asked for: naming only a class asks for one.
    pub fn gpus(&self) -> u32 {
        self.gpu_count.unwrap_or(u32::from(self.gpu_class.is_some()))
    }

    /// Returns whether nothing is asked for.
    pub fn is_empty(&self) -> bool {
        self.cpu_count.is_none() && self.memory.is_none() && self.gpus() == 0
    }

    /// Returns how much is asked for.
    pub fn amounts(&self) -> Amounts {
        Amounts {
            millicores: self.cpu_count.map_or(0, millicores),
            memory: self.memory.map_or(0, |memory| memory.0),
            gpus: u64::from(self.gpus()),
        }
    }

    /// Returns these resources with every value that `later` gives put in.
    #[must_use]
    pub fn merged(&self, later: &Self) -> Self {
        Self {
            cpu_count: later.cpu_count.or(self.cpu_count),
            gpu_count: later.gpu_count.or(self.gpu_count),
            gpu_class: later.gpu_class.clone().or_else(|| self.gpu_class.clone()),
            memory: later.memory.or(self.memory),
        }
    }
}

/// How much of what a machine has: of one machine, or what one step asks for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Amounts {
    /// Thousandths of a processor core.
    pub millicores: u64,
    /// Bytes of memory.
    pub memory: u64,
    /// Graphics processors.
    pub gpus: u64,
}

impl Amounts {
    /// More than anyone can ask for.
    pub const BOUNDLESS: Self = Self { millicores: u64::MAX, memory: u64::MAX, gpus: u64::MAX };

    /// Returns whether `other` is no more than this in any respect.
    pub fn covers(&self, other: &Self) -> bool {
        self.millicores >= other.millicores
            && self.memory >= other.memory
            && self.gpus >= other.gpus
    }

    /// Returns what is left when `other` is taken, and 0 where that is more than there is.
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        Self {
            millicores: self.millicores.saturating_sub(other.millicores),
            memory: self.memory.saturating_sub(other.memory),
            gpus: self.gpus.saturating_sub(other.gpus),
        }
    }

    /// Returns both together.
    #[must_use]
    pub fn with(&self, other: &Self) -> Self {
        Self {
            millicores: self.millicores.saturating_add(other.millicores),
            memory: self.memory.saturating_add(other.memory),
            gpus: self.gpus.saturating_add(other.gpus),
        }
    }

    /// Returns the smaller of both in each respect.
    #[must_use]
    pub fn at_most(&self, other: &Self) -> Self {
        Self {
            millicores: self.millicores.min(other.millicores),
            memory: self.memory.min(other.memory),
            gpus: self.gpus.min(other.gpus),
        }
    }
}

/// Returns thousandths of a core, rounded up, so that what is asked for is there.
pub fn millicores(cores: f64) -> u64 {
    // Negative and absurd numbers are refused before; a cast ends at the limits.
    (cores * 1_000.0).ceil() as u64
}

/// An amount of memory in bytes, written as a number with a unit: `1.5GB`, `512MiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Memory(pub u64);

const UNITS: [(&str, f64); 9] = [
    ("KB", 1e3),
    ("MB", 1e6),
    ("GB", 1e9),
    ("TB", 1e12),
    ("PB", 1e15),
    ("KiB", 1024.0),
    ("MiB", 1_048_576.0),
    ("GiB", 1_073_741_824.0),
    ("TiB", 1_099_511_627_776.0),
];

/// Text that is not an amount of memory.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an amount of memory; write a number and a unit, such as `512MiB` or `1.5GB`")]
pub struct InvalidMemory(String);

impl FromStr for Memory {
    type Err = InvalidMemory;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidMemory(text.to_owned());
        let trimmed = text.trim();
        let digits =
            trimmed.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(trimmed.len());
        let amount: f64 = trimmed[..digits].parse().map_err(|_| invalid())?;
        let (_, factor) =
            UNITS.iter().find(|(unit, _)| *unit == trimmed[digits..].trim()).ok_or_else(invalid)?;
        let bytes = (amount * factor).round();
        if bytes >= 1.0 && bytes < u64::MAX as f64 {
            Ok(Self(bytes as u64))
        } else {
            Err(invalid())
        }
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exact = |(_, factor): &&(&str, f64)| (self.0 as f64) % factor == 0.0;
        match UNITS.iter().filter(exact).max_by(|a, b| a.1.total_cmp(&b.1)) {
            Some((unit, factor)) => write!(f, "{}{unit}", self.0 as f64 / factor),
            None => write!(f, "{}KB", self.0 as f64 / 1e3),
        }
    }
}

/// A length of time in seconds, written as a number of seconds or with a unit: `90`, `1.5h`, `10m`.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Span(pub f64);

/// Text that is not a length of time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a length of time; write seconds, or a number and a unit, such as `30s`, `10m`, `2h` or `7d`"
)]
pub struct InvalidSpan(String);

impl Span {
    /// Returns it as people write it: in the largest unit that says it without a fraction.
    pub fn in_words(self) -> String {
        let units = [(86_400.0, "d"), (3_600.0, "h"), (60.0, "m")];
        let whole = units.iter().find(|(unit, _)| self.0 >= *unit && self.0 % unit == 0.0);
        let (unit, name) = whole.unwrap_or(&(1.0, "s"));
        format!("{}{name}", self.0 / unit)
    }
}

impl FromStr for Span {
    type Err = InvalidSpan;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidSpan(text.to_owned());
        let trimmed = text.trim();
        let digits =
            trimmed.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(trimmed.len());
        let amount: f64 = trimmed[..digits].parse().map_err(|_| invalid())?;
        let factor = match trimmed[digits..].trim() {
            "" | "s" => 1.0,
            "ms" => 1e-3,
            "m" | "min" => 60.0,
            "h" => 3_600.0,
            "d" => 86_400.0,
            _ => return Err(invalid()),
        };
        let seconds = amount * factor;
        if seconds.is_finite() { Ok(Self(seconds)) } else { Err(invalid()) }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}s", self.0)
    }
}

macro_rules! as_text {
    ($($name:ident, $words:literal;)+) => {$(
        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "description": $words })
            }
        }
    )+};
}

as_text! {
    Memory, "A number and a unit, such as `512MiB` or `1.5GB`.";
    Span, "A number and a unit, such as `30s`, `10m`, `2h` or `7d`.";
}

/// How often, and how patiently, a failed step is retried.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Retry {
    /// Attempts allowed after the first one.
    pub max_retries: u32,
    /// Wait before the first retry, in seconds.
    #[serde(default)]
    pub delay: f64,
    /// Factor by which the wait grows with each further retry; 1 keeps it.
    #[serde(default = "constant_backoff")]
    pub backoff: f64,
}

fn constant_backoff() -> f64 {
    1.0
}

impl Default for Retry {
    fn default() -> Self {
        Self { max_retries: 0, delay: 0.0, backoff: constant_backoff() }
    }
}

impl Retry {
    /// Returns whether this is no retry at all.
    pub fn is_never(&self) -> bool {
        self.max_retries == 0
    }

    /// Returns the seconds to wait after `failures` failed attempts, or `None` to give up.
    pub fn wait_after(&self, failures: u32) -> Option<f64> {
        let retry = failures.checked_sub(1)?;
        (retry < self.max_retries).then(|| {
            let growth = self.backoff.powi(i32::try_from(retry).unwrap_or(i32::MAX));
            (self.delay * growth).min(MAX_WAIT)
        })
    }
}

/// The longest wait between two attempts, in seconds: one day.
const MAX_WAIT: f64 = 86_400.0;

/// What becomes of a run when a step has failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FailureMode {
    /// Cancels what runs and starts nothing more.
    #[default]
    FailFast,
    /// Lets running steps finish and starts nothing more.
    StopOnFailure,
    /// Skips only what is downstream of the failure.
    ContinueOnFailure,
}

impl FailureMode {
    /// The words that settings accept.
    pub const WORDS: [&'static str; 3] = ["fail_fast", "stop_on_failure", "continue_on_failure"];
}

impl FromStr for FailureMode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "fail_fast" => Ok(Self::FailFast),
            "stop_on_failure" => Ok(Self::StopOnFailure),
            "continue_on_failure" => Ok(Self::ContinueOnFailure),
            _ => Err(format!(
                "`{text}` is not a failure mode; choose one of `{}`",
                Self::WORDS.join("`, `")
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_with_its_unit_only() {
        let bytes = |text: &str| text.parse::<Memory>().ok().map(|m| m.0);
        assert_eq!(bytes("1.5GB"), Some(1_500_000_000));
        assert_eq!(bytes("2 GiB"), Some(2_147_483_648));
        for wrong in ["", "2", "GB", "2gb2", "-1GB", "0MB", "1.2.3GB", "2 apples"] {
            assert_eq!(bytes(wrong), None, "{wrong}");
        }
        for text in ["1.5GB", "512MiB", "2TB", "1KB"] {
            let memory: Memory = text.parse().expect(text);
            assert_eq!(memory.to_string().parse::<Memory>(), Ok(memory), "{text}");
        }
    }

    #[test]
    fn spans_are_seconds_unless_a_unit_says_otherwise() {
        for (text, seconds) in
            [("90", 90.0), ("10m", 600.0), ("1.5h", 5_400.0), ("250ms", 0.25), ("7d", 604_800.0)]
        {
            assert_eq!(text.parse::<Span>().map(|s| s.0), Ok(seconds));
        }
        for (seconds, text) in [
            (90.0, "90s"),
            (600.0, "10m"),
            (5_400.0, "90m"),
            (0.25, "0.25s"),
            (604_800.0, "7d"),
            (0.0, "0s"),
        ] {
            assert_eq!(Span(seconds).in_words(), text);
            assert_eq!(text.parse::<Span>().map(|s| s.0), Ok(seconds));
        }
        for wrong in ["soon", "", "d", "-1s", "1e3", &"9".repeat(400)] {
            assert!(wrong.parse::<Span>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn waits_grow_by_the_backoff_and_end_at_the_limit() {
        let retry = Retry { max_retries: 3, delay: 2.0, backoff: 2.0 };
        let waits: Vec<_> = (0..=4).map(|failures| retry.wait_after(failures)).collect();
        assert_eq!(waits, [None, Some(2.0), Some(4.0), Some(8.0), None]);
        let steady = Retry { max_retries: 2, delay: 2.0, ..Retry::default() };
        assert_eq!((steady.wait_after(1), steady.wait_after(2)), (Some(2.0), Some(2.0)));
    }

    #[test]
    fn naming_a_class_asks_for_one_gpu_and_zero_asks_for_none() {
        let gpus = |gpu_count, gpu_class: Option<&str>| {
            Resources { gpu_count, gpu_class: gpu_class.map(str::to_owned), ..Resources::default() }
                .gpus()
        };
        assert_eq!((gpus(None, None), gpus(Some(0), None), gpus(None, Some("a100"))), (0, 0, 1));
    }
}
