//! Lets a signal end a wait that has not begun yet.
//!
//! Python notes a signal and handles it when its interpreter runs again. Between its last look and
//! the moment that this thread waits in Rust lies a gap in which a signal would go unseen until
//! something else ends the wait, so Python's own handler is told to write to what is waited for.

use std::os::fd::{AsRawFd, BorrowedFd};

use pyo3::prelude::*;
use pyo3::types::PyDict;

/// A descriptor that Python writes to at each signal, until this is dropped.
pub(crate) struct Wakeup<'py>(Option<Python<'py>>);

impl<'py> Wakeup<'py> {
    /// Makes Python write to `bell` at each signal.
    ///
    /// Does nothing where signals are not handled, which is outside the main thread, or where
    /// someone else is woken already, such as an event loop.
    pub(crate) fn install(py: Python<'py>, bell: BorrowedFd<'_>) -> Self {
        let fd = bell.as_raw_fd();
        match set(py, fd) {
            Ok(-1) => Self(Some(py)),
            Ok(earlier) => {
                let _ = set(py, earlier);
                Self(None)
            }
            Err(_) => Self(None),
        }
    }
}

impl Drop for Wakeup<'_> {
    fn drop(&mut self) {
        if let Some(py) = self.0 {
            let _ = set(py, -1);
        }
    }
}

/// Sets the descriptor and returns the one before it; -1 is none.
fn set(py: Python<'_>, fd: i32) -> PyResult<i32> {
    let options = PyDict::new(py);
    options.set_item("warn_on_full_buffer", false)?;
    py.import("_signal")?.getattr("set_wakeup_fd")?.call((fd,), Some(&options))?.extract()
}
