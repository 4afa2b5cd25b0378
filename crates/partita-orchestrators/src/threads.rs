//! How many threads the libraries of a step use: no more than it asks for cores.

use partita_core::deployment::Step;

/// The variables by which numerical libraries are told how many threads to use.
pub(crate) const VARIABLES: [&str; 7] = [
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "POLARS_MAX_THREADS",
    "RAYON_NUM_THREADS",
];

/// Returns the threads that a step's libraries may use: one for each core that it asks for.
pub(crate) fn threads(step: &Step) -> usize {
    step.config.resources.cpu_count.map_or(1, |cores| (cores as usize).max(1))
}
