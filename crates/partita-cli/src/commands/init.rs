//! `partita init`: marks a source root.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use partita_cli::places;

use crate::context::{Context, shown};
use crate::error::CommandError;

const CONFIG: &str =
    "# The settings of this source root. `partita stack set NAME` chooses its stack.\n";

/// Marks a folder as the root of your code.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The folder; it is made if it is not there.
    #[arg(value_name = "DIR", default_value = ".")]
    folder: PathBuf,
}

pub(crate) fn run(args: Args, context: &Context) -> Result<(), CommandError> {
    let folder = std::path::absolute(&args.folder).unwrap_or(args.folder);
    let failed = |error: std::io::Error| {
        CommandError::failed(format!(
            "`{}` cannot be marked: {error}; choose a folder that you may write to",
            shown(&folder)
        ))
    };
    if !mark(&folder).map_err(failed)? {
        context.say(&format!("`{}` is a source root already", shown(&folder)));
        return Ok(());
    }
    context.say(&format!(
        "`{}` is a source root now; write a pipeline in it and type `partita run FILE`",
        shown(&folder)
    ));
    Ok(())
}

/// Marks a folder as a source root; returns whether it was none before.
pub(crate) fn mark(folder: &Path) -> std::io::Result<bool> {
    let mark = folder.join(places::MARK);
    fs::create_dir_all(&mark)?;
    match fs::File::create_new(mark.join("config.toml")) {
        Ok(mut file) => file.write_all(CONFIG.as_bytes()).map(|()| true),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}
