//! The native modules of the Python package `partita`, as the package's own files call them.
//!
//! There are two, each a library of its own. What a step needs is a fifth of the code of the engine, and
//! whatever a library holds that points to something else is written to when it is loaded, and copied
//! for each process: loading the engine as well would cost each step a millisecond.
//!
//! Documents cross the border as the bytes of the `json` format, so that neither side imports a
//! parser of its own. Nothing here is public; the package's Python files are.

mod boundary;
mod call;
mod done;
mod engine;
mod entrypoint;
mod errors;
mod look;
mod packets;
mod redaction;
mod staging;
mod value;
mod wakeup;

use partita_core::settings::{InvalidMemory, Memory};
use pyo3::exceptions::PyValueError;
use pyo3::panic::PanicException;
use pyo3::prelude::*;

/// Returns the BLAKE3 digest of bytes as 64 hexadecimal digits.
#[pyfunction]
fn digest(data: &[u8]) -> String {
    blake3::hash(data).to_hex().to_string()
}

/// Returns whether a file is a program that the Rust SDK made.
#[pyfunction]
fn is_program(path: std::path::PathBuf) -> bool {
    partita_cli::program_mark::is_program(&path)
}

/// Returns the BLAKE3 digest of a file's content as 64 hexadecimal digits.
#[pyfunction]
fn digest_file(path: std::path::PathBuf) -> PyResult<String> {
    Ok(partita_engine::file_digest::digest_file(&path)?.to_string())
}

/// Returns an amount of memory, such as `1.5GB`, as a number of units.
#[pyfunction]
fn memory_in(amount: &str, unit: &str) -> PyResult<f64> {
    let bytes = |text: &str| -> PyResult<f64> {
        let memory: Memory = text
            .parse()
            .map_err(|error: InvalidMemory| PyValueError::new_err(error.to_string()))?;
        Ok(memory.0 as f64)
    };
    Ok(bytes(amount)? / bytes(&format!("1{unit}"))?)
}

/// Returns the paragraph that says that Partita itself is wrong, and where (`file:line`).
#[pyfunction]
fn describe_bug(place: Option<&str>, message: &str) -> String {
    partita_cli::bug::paragraph(place, message)
}

/// Fills `partita._native`: values, steps and their entrypoints.
///
/// # Errors
/// Those of Python, if it has no room for them.
pub fn native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    begin(module)?;
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add("DEPLOYMENT_VERSION", partita_core::deployment::VERSION)?;
    module.add_class::<boundary::Boundary>()?;
    module.add_class::<call::StepCall>()?;
    module.add_class::<packets::Descriptor>()?;
    module.add_class::<packets::PacketSocket>()?;
    module.add_class::<done::PyDone>()?;
    module.add_class::<entrypoint::PyRunEntry>()?;
    module.add_class::<entrypoint::PyStepEntry>()?;
    module.add_class::<redaction::Redactor>()?;
    module.add_function(wrap_pyfunction!(describe_bug, module)?)?;
    module.add_function(wrap_pyfunction!(done::count_threads, module)?)?;
    module.add_function(wrap_pyfunction!(digest, module)?)?;
    module.add_function(wrap_pyfunction!(digest_file, module)?)?;
    module.add_function(wrap_pyfunction!(is_program, module)?)?;
    module.add_function(wrap_pyfunction!(memory_in, module)?)?;
    module.add_function(wrap_pyfunction!(value::encode_value, module)?)?;
    module.add_function(wrap_pyfunction!(value::decode_value, module)?)?;
    module.add_function(wrap_pyfunction!(value::is_too_long, module)?)?;
    module.add_function(wrap_pyfunction!(packets::separate, module)?)?;
    module.add_function(wrap_pyfunction!(packets::wait_for_end, module)?)?;
    module.add_function(wrap_pyfunction!(entrypoint::adopt_orphans, module)?)?;
    module.add_function(wrap_pyfunction!(entrypoint::end_with_parent, module)?)?;
    Ok(())
}

/// Fills `partita._engine`: runs, and what is known of them.
///
/// # Errors
/// Those of Python, if it has no room for them.
pub fn engine(module: &Bound<'_, PyModule>) -> PyResult<()> {
    begin(module)?;
    module.add_class::<staging::Literals>()?;
    module.add_class::<staging::Staging>()?;
    module.add_function(wrap_pyfunction!(engine::run, module)?)?;
    module.add_function(wrap_pyfunction!(engine::resume, module)?)?;
    module.add_function(wrap_pyfunction!(engine::plan, module)?)?;
    module.add_function(wrap_pyfunction!(engine::render_plan, module)?)?;
    module.add_function(wrap_pyfunction!(engine::build, module)?)?;
    module.add_function(wrap_pyfunction!(engine::compile_pipeline, module)?)?;
    module.add_function(wrap_pyfunction!(engine::config_parameters, module)?)?;
    module.add_function(wrap_pyfunction!(engine::report, module)?)?;
    module.add_function(wrap_pyfunction!(look::get_run, module)?)?;
    module.add_function(wrap_pyfunction!(look::run_call, module)?)?;
    module.add_function(wrap_pyfunction!(look::list_runs, module)?)?;
    module.add_function(wrap_pyfunction!(look::list_artifacts, module)?)?;
    module.add_function(wrap_pyfunction!(look::get_artifact, module)?)?;
    module.add_function(wrap_pyfunction!(look::artifact_version, module)?)?;
    module.add_function(wrap_pyfunction!(look::load_artifact, module)?)?;
    module.add_function(wrap_pyfunction!(look::read_log, module)?)?;
    module.add_function(wrap_pyfunction!(look::add_run_metadata, module)?)?;
    module.add_function(wrap_pyfunction!(look::note_failed_hook, module)?)?;
    module.add_function(wrap_pyfunction!(look::list_stacks, module)?)?;
    module.add_function(wrap_pyfunction!(look::list_components, module)?)?;
    Ok(())
}

/// Has faults of a module told as what they are; each has such an exception of its own.
fn begin(module: &Bound<'_, PyModule>) -> PyResult<()> {
    partita_cli::bug::report_panics(|| ());
    module.add("PanicException", module.py().get_type::<PanicException>())
}
