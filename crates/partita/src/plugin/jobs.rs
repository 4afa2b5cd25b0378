//! What an orchestrator is told of an attempt, and what it says of its job.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use partita_plugin::message::{Launch, State, Status};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::pipeline_deployment::values;
use super::{Error, Result};

/// Variables of an environment.
pub type Environment = BTreeMap<String, String>;

/// One try at one step.
#[derive(Debug, Clone, PartialEq)]
pub struct Attempt {
    /// Unique among all attempts; let the backend carry it, so that `find` works.
    pub id: String,
    /// The run.
    pub run_id: String,
    /// The step.
    pub step_name: String,
    /// The item, from 0, of a mapped step.
    pub item: Option<u32>,
    /// From 1.
    pub number: u32,
    /// The step's settings of the orchestrator's flavor, by key.
    pub settings: Map<String, Value>,
    /// The image that the step runs in, if it asks for one.
    pub image: Option<String>,
}

impl Attempt {
    pub(super) fn of(launch: &Launch) -> Self {
        let told = launch.attempt.clone();
        Self {
            id: told.id,
            run_id: told.run_id,
            step_name: told.step,
            item: told.item,
            number: told.number,
            settings: values(&launch.settings),
            image: launch.image.clone(),
        }
    }

    /// Returns the settings as the type of which [`settings_schema`] is the schema.
    ///
    /// [`settings_schema`]: super::BaseOrchestratorFlavor::settings_schema
    ///
    /// # Errors
    /// If they are not of this type.
    pub fn get_settings<S: DeserializeOwned>(&self) -> Result<S> {
        settings_of(&self.settings, &self.step_name)
    }
}

/// Returns the settings of a step as a type.
pub(super) fn settings_of<S: DeserializeOwned>(
    settings: &Map<String, Value>,
    step_name: &str,
) -> Result<S> {
    serde_json::from_value(settings.clone().into()).map_err(|error| {
        Error::failed(format!("the settings of the step `{step_name}` are wrong: {error}"))
    })
}

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobStatus {
    /// It waits or runs.
    Active,
    /// Its command ended well.
    Completed,
    /// It did not.
    Failed,
    /// It was ended because someone asked for that.
    Cancelled,
}

/// Where a job stands, and more of it than the word.
///
/// The status of a process that has ended becomes one by itself.
///
/// ```
/// use std::process::Command;
///
/// use partita::plugin::{JobReport, JobStatus};
///
/// let report = JobReport::from(Command::new("false").status()?);
/// assert_eq!((report.status, report.exit_code), (JobStatus::Failed, Some(1)));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobReport {
    /// Where it stands.
    pub status: JobStatus,
    /// The exit code of its command, or the negative number of the signal that ended it.
    pub exit_code: Option<i32>,
    /// What went wrong.
    pub message: Option<String>,
}

impl From<JobStatus> for JobReport {
    fn from(status: JobStatus) -> Self {
        Self { status, exit_code: None, message: None }
    }
}

impl From<ExitStatus> for JobReport {
    fn from(ended: ExitStatus) -> Self {
        let status = if ended.success() { JobStatus::Completed } else { JobStatus::Failed };
        let exit_code = ended.code().or_else(|| ended.signal().map(|signal| -signal));
        Self { status, exit_code, message: None }
    }
}

impl From<JobReport> for Status {
    fn from(report: JobReport) -> Self {
        let state = match report.status {
            JobStatus::Active => State::Active,
            JobStatus::Completed => State::Completed,
            JobStatus::Failed => State::Failed,
            JobStatus::Cancelled => State::Cancelled,
        };
        Self { state, exit_code: report.exit_code, message: report.message }
    }
}
