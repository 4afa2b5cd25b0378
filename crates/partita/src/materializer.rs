//! Values with a format of their own, which serde does not write.

use std::ops::{Deref, DerefMut};
use std::path::Path;

use partita_engine::step_runner::{Content, InputValue, load_folder};

use crate::Result;
use crate::load::Inputs;
use crate::output::Value;
use crate::save::Saver;
use crate::value::ValueError;

/// A type whose values are written and read as files in a format of their own.
///
/// Steps take and return it inside of [`Stored`]. In Python, a `BaseMaterializer` with the same
/// `FORMAT` reads what this one writes, and the other way round.
///
/// ```
/// use std::fs;
/// use std::path::Path;
/// use partita::prelude::*;
/// use partita::{Materializer, Stored};
///
/// struct Lines(Vec<String>);
///
/// impl Materializer for Lines {
///     const FORMAT: &str = "lines";
///     const TYPE: &str = "lines.Lines";
///
///     fn save(&self, folder: &Path) -> Result<()> {
///         Ok(fs::write(folder.join("lines.txt"), self.0.join("\n"))?)
///     }
///
///     fn load(folder: &Path) -> Result<Self> {
///         let text = fs::read_to_string(folder.join("lines.txt"))?;
///         Ok(Self(text.lines().map(str::to_owned).collect()))
///     }
/// }
///
/// #[step]
/// fn split(text: &str) -> Stored<Lines> {
///     Stored(Lines(text.split(' ').map(str::to_owned).collect()))
/// }
///
/// #[step]
/// fn count(lines: Stored<Lines>) -> usize {
///     lines.0.0.len()
/// }
///
/// #[pipeline]
/// fn counting() {
///     count(split("a b c"));
/// }
/// # fn main() {
/// # assert_eq!(counting::definition().trace_defaults().steps.len(), 2);
/// # }
/// ```
pub trait Materializer: Sized + 'static {
    /// The id of the format in which values are written.
    const FORMAT: &'static str;
    /// The ids of the formats that are read, for a type that is also made of what others write.
    const READS: &'static [&'static str] = &[Self::FORMAT];
    /// What documents call the type, as in `numpy.ndarray`.
    const TYPE: &'static str;

    /// Writes the value into an empty folder.
    ///
    /// # Errors
    /// If it cannot be written.
    fn save(&self, folder: &Path) -> Result<()>;

    /// Reads a value.
    ///
    /// # Errors
    /// If the folder holds none.
    fn load(folder: &Path) -> Result<Self>;
}

/// A value that its [`Materializer`] writes and reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored<T>(pub T);

impl<T> Deref for Stored<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for Stored<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T: Materializer> Value for Stored<T> {
    fn store(&self, saver: &mut Saver<'_>, name: &str) -> Result<(), ValueError> {
        let failed = |error: &dyn std::fmt::Display| {
            ValueError::new(format!("the output `{name}` cannot be stored: {error}"))
        };
        let staging = saver.stage(name).map_err(|error| failed(&error))?;
        self.0.save(staging.folder()).map_err(|error| failed(&error))?;
        saver.add(name, T::TYPE, T::FORMAT, Content::Files(staging));
        Ok(())
    }

    fn restore(inputs: &Inputs<'_>, name: &str) -> Result<Self> {
        let version = match inputs.found(name)? {
            InputValue::Artifact(version) => Some(&**version),
            InputValue::Element { list, index } => {
                list.items.as_ref().and_then(|items| items.get(*index as usize))
            }
            _ => None,
        };
        let version = version.ok_or("it is no value of one step")?;
        if !T::READS.contains(&&*version.format) {
            let (found, formats) = (&version.format, T::READS.join("` or `"));
            return Err(format!("it is stored in the format `{found}`, not `{formats}`").into());
        }
        Ok(Self(T::load(&load_folder(inputs.store(), version)?)?))
    }
}
