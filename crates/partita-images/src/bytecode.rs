//! What Python makes of modules before it runs them, made once for an image: nothing can be kept in a
//! container, so that each would make it anew.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread::available_parallelism;

use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::layer::{Content, Files};
use crate::own::OwnPython;

/// How many modules one process compiles. What it makes of a module may depend on those before it, so
/// that this is the same on every machine.
const PART: usize = 250;

/// Compiles modules that it reads of, each with its path in the image and where the result goes. What
/// is no Python is left out, as installers do; and nothing looks whether its source has changed, for
/// in an image it cannot.
const COMPILE: &str = "import json, py_compile, sys
mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
for source, name, compiled in json.load(sys.stdin):
    try:
        py_compile.compile(source, compiled, name, doraise=True, invalidation_mode=mode)
    except Exception:
        pass
";

/// A module, its path in the image, and the file that its bytecode goes to.
type Module = (PathBuf, PathBuf, PathBuf);

/// Adds the bytecode of modules to the files of a layer; it is written to a folder that has to be there
/// as long as these are used.
pub(crate) async fn add(files: &mut Files, own: &OwnPython, folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let modules: Vec<Module> = files
        .iter()
        .filter(|(path, _)| is_imported(path))
        .filter_map(|(path, content)| match content {
            Content::File(from) if from.to_str().is_some() && path.to_str().is_some() => {
                Some((from, path))
            }
            _ => None,
        })
        .enumerate()
        .map(|(number, (from, path))| {
            (from.clone(), Path::new("/").join(path), folder.join(format!("{number}.pyc")))
        })
        .collect();
    let most = available_parallelism().map_or(1, usize::from);
    let parts = stream::iter(modules.chunks(PART).map(|part| compile(own, part)));
    parts.buffer_unordered(most).try_collect::<()>().await?;
    let tag = format!("cpython-{}", own.version.replace('.', ""));
    for (_, path, compiled) in modules.into_iter().filter(|(_, _, compiled)| compiled.exists()) {
        let path = path.strip_prefix("/").unwrap_or(&path);
        let (Some(above), Some(stem)) = (path.parent(), path.file_stem()) else { continue };
        let name = format!("{}.{tag}.pyc", stem.to_string_lossy());
        files.insert(above.join("__pycache__").join(name), Content::File(compiled));
    }
    Ok(())
}

/// Returns whether steps may import a module: distributions bring their tests along, often half of them.
fn is_imported(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "py")
        && !path.components().any(|part| part.as_os_str() == "tests")
}

async fn compile(own: &OwnPython, part: &[Module]) -> io::Result<()> {
    let mut compiler = Command::new(&own.interpreter)
        .args(["-S", "-W", "ignore", "-c", COMPILE])
        .env_remove("PYTHONPATH")
        // The order of sets is part of what is written.
        .env("PYTHONHASHSEED", "0")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    if let Some(mut stdin) = compiler.stdin.take() {
        stdin.write_all(&serde_json::to_vec(part)?).await?;
    }
    let ended = compiler.wait().await?;
    if ended.success() { Ok(()) } else { Err(io::Error::other(format!("Python ended: {ended}"))) }
}
