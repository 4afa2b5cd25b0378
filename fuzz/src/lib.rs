//! What the fuzz targets share, so that each target is one line.

pub mod checks;
