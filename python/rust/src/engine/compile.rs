//! What is asked of a traced pipeline besides running it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use partita_cli::plan_view::{self, View};
use partita_core::diagnostic::{Location, Report};
use partita_core::literal::Literal;
use partita_engine::compile::ConfigFile;
use partita_engine::runs::{self, Verdict};
use partita_orchestrators::starts_anew;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use serde::Serialize;

use super::{bytes, parse, prepare};
use crate::errors::{partita_error, pipeline_error};

/// Returns what a run of a traced pipeline would do, as JSON.
#[pyfunction]
pub(crate) fn plan<'py>(py: Python<'py>, request: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
    let prepared = prepare(py, parse(py, request)?)?;
    let history = Arc::clone(prepared.session.home().metadata());
    let source_root = prepared.target.map(|target| target.source_root);
    let deployment = Arc::new(prepared.compiled.deployment);
    let mut planned = runs::plan(Arc::clone(&deployment), prepared.store, history, source_root)
        .map_err(|error| partita_error(py, error))?;
    for (planned, step) in planned.iter_mut().zip(&deployment.steps) {
        if planned.verdict != Verdict::Cached {
            planned.starts_anew = starts_anew(&deployment, step).map(str::to_owned);
        }
    }
    bytes(py, &planned)
}

/// Returns a plan as people or programs read it.
#[pyfunction]
pub(crate) fn render_plan(
    py: Python<'_>,
    planned: &[u8],
    format: &str,
    verbose: bool,
) -> PyResult<String> {
    let format = format.parse().map_err(|error: String| partita_error(py, error))?;
    plan_view::render_json(planned, View::on_stdout(format, verbose))
        .map_err(|error| partita_error(py, error))
}

/// Returns the deployment of a traced pipeline, as JSON with one key a line.
#[pyfunction]
pub(crate) fn compile_pipeline<'py>(
    py: Python<'py>,
    request: &[u8],
) -> PyResult<Bound<'py, PyBytes>> {
    let prepared = prepare(py, parse(py, request)?)?;
    let mut text = serde_json::to_vec_pretty(&prepared.compiled.deployment)
        .map_err(|error| partita_error(py, error))?;
    text.push(b'\n');
    Ok(PyBytes::new(py, &text))
}

/// A pipeline parameter of a configuration file.
#[derive(Serialize)]
struct Parameter<'a> {
    value: &'a Literal,
    location: Option<&'a Location>,
}

/// Returns the pipeline parameters of a configuration file, each with its `value` and `location`.
#[pyfunction]
pub(crate) fn config_parameters(py: Python<'_>, path: PathBuf) -> PyResult<Bound<'_, PyBytes>> {
    let config = ConfigFile::read(&path).map_err(|report| pipeline_error(py, report))?;
    let parameters = config.parameters();
    let written = parameters.map(|(name, value, location)| (name, Parameter { value, location }));
    bytes(py, &written.collect::<BTreeMap<_, _>>())
}

/// Returns the text that tells of problems, which are given as JSON.
#[pyfunction]
pub(crate) fn report(py: Python<'_>, problems: &[u8]) -> PyResult<String> {
    serde_json::from_slice(problems)
        .map(|problems| Report { problems }.to_string())
        .map_err(|error| partita_error(py, error))
}
