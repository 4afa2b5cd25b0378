//! Where authors' code calls into the package and exceptions come out of it.
//!
//! A method that is written in Python adds itself to the traceback of whatever it raises; one that
//! is written here does not, so that a script which fails shows its author's frames alone.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple, PyType};

/// A method whose exceptions leave it as `leave_out_own(exception)` makes them.
#[pyclass(frozen, module = "partita._native")]
pub(crate) struct Boundary {
    function: Py<PyAny>,
    leave_out_own: Py<PyAny>,
}

#[pymethods]
impl Boundary {
    #[new]
    fn new(function: Py<PyAny>, leave_out_own: Py<PyAny>) -> Self {
        Self { function, leave_out_own }
    }

    fn __get__<'py>(
        slf: &Bound<'py, Self>,
        instance: Option<&Bound<'py, PyAny>>,
        _owner: Option<&Bound<'py, PyType>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let Some(instance) = instance else {
            return Ok(slf.clone().into_any());
        };
        slf.py().import("types")?.getattr("MethodType")?.call1((slf, instance))
    }

    #[pyo3(signature = (*args, **kwargs))]
    fn __call__<'py>(
        &self,
        py: Python<'py>,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.function.bind(py).call(args, kwargs).map_err(|error| {
            let exception = error.into_value(py);
            match self.leave_out_own.call1(py, (&exception,)) {
                Ok(_) => PyErr::from_value(exception.into_bound(py).into_any()),
                Err(error) => error,
            }
        })
    }
}
