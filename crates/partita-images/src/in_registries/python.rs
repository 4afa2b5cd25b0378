//! The Python of an image, as its own would tell: found among its files by the rules by which systems
//! find programs, and Python its folders.

use std::collections::BTreeMap;

use super::files::{Files, Node};
use crate::parent::ParentPython;

/// Where programs are in an image that does not say.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Returns the Python that is run by the word `python` in an image with these variables; `None` if
/// there is none.
///
/// # Errors
/// Why only running it would tell.
pub(super) fn find(files: &Files, variables: &[String]) -> Result<Option<ParentPython>, String> {
    let variables = variables.iter().filter_map(|variable| variable.split_once('='));
    let variables: BTreeMap<&str, &str> = variables.collect();
    let path = variables.get("PATH").copied().unwrap_or(PATH);
    let mut programs = path
        .split(':')
        .filter(|folder| folder.starts_with('/'))
        .map(|folder| format!("{}/python", folder.trim_end_matches('/')));
    let is_program =
        |path: &String| matches!(files.at(path), Some(Node::File { is_executable: true, .. }));
    let Some(executable) = programs.find(is_program) else { return Ok(None) };
    let binary = files.real(&executable).unwrap_or_default();
    let Some(Node::File { head, .. }) = files.at(&binary) else { return Ok(None) };
    if !head.starts_with(b"\x7fELF") {
        return Err(format!("`{executable}` is no program but a script"));
    }
    let home = variables.get("PYTHONHOME").filter(|home| !home.is_empty());
    let home = home.map(|home| home.split(':').next().unwrap_or(home).to_owned());
    let environment = if home.is_none() { virtual_environment(files, &executable) } else { None };
    let begin = environment.as_ref().map_or(binary.as_str(), |(_, begin)| begin);
    let (prefix, version) = match home {
        Some(home) => (home.clone(), version_in(files, &binary, &home)),
        None => prefix_of(files, &binary, begin),
    };
    let Some(version) = version else {
        return Err(format!("nothing says where the modules of `{executable}` are"));
    };
    let is_debians = environment.is_none() && files.at("/usr/lib/python3/dist-packages").is_some();
    let (packages, scripts) = match environment {
        None if prefix == "/usr" && is_debians => {
            (format!("/usr/local/lib/python{version}/dist-packages"), "/usr/local/bin".to_owned())
        }
        environment => {
            let prefix = environment.map_or(prefix, |(folder, _)| folder);
            (format!("{prefix}/lib/python{version}/site-packages"), format!("{prefix}/bin"))
        }
    };
    let real = |path: String| files.real(&path).unwrap_or(path);
    Ok(Some(ParentPython {
        libc: libc(files, head).to_owned(),
        packages: real(packages),
        scripts: real(scripts),
        version,
        executable,
    }))
}

/// Returns the virtual environment that a program belongs to, and what its Python is looked for from.
fn virtual_environment(files: &Files, executable: &str) -> Option<(String, String)> {
    above(executable).take(2).find_map(|folder| {
        let Some(Node::File { head, .. }) = files.at(&format!("{folder}/pyvenv.cfg")) else {
            return None;
        };
        let text = String::from_utf8_lossy(head);
        let mut keys = text.lines().filter_map(|line| line.split_once('='));
        let home = keys.find(|(key, _)| key.trim().eq_ignore_ascii_case("home"));
        let home = home.map_or("", |(_, home)| home.trim());
        Some((folder, format!("{home}/python")))
    })
}

/// Returns the folder that a binary has its modules below, which Python looks for in the same way, from
/// a path on, and its version.
fn prefix_of(files: &Files, binary: &str, begin: &str) -> (String, Option<String>) {
    let found = above(begin)
        .find_map(|folder| version_in(files, binary, &folder).map(|version| (folder, version)));
    match found {
        Some((prefix, version)) => (prefix, Some(version)),
        None => (String::new(), None),
    }
}

/// Returns the version of a binary whose modules are below a folder.
fn version_in(files: &Files, binary: &str, prefix: &str) -> Option<String> {
    let has_modules = |version: &String| {
        let modules = format!("{prefix}/lib/python{version}/os.py");
        files.at(&modules).is_some() || files.at(&format!("{modules}c")).is_some()
    };
    let name = binary.rsplit('/').next().unwrap_or(binary);
    if let Some(version) = minor_version(name) {
        return Some(version).filter(has_modules);
    }
    let library = format!("{prefix}/lib");
    let mut versions =
        files.names(&library).into_iter().filter_map(minor_version).filter(has_modules);
    let version = versions.next()?;
    versions.next().is_none().then_some(version)
}

/// Returns the version in a name such as `python3.11`.
fn minor_version(name: &str) -> Option<String> {
    let version = name.strip_prefix("python")?;
    let (major, minor) = version.split_once('.')?;
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    (is_number(major) && is_number(minor)).then(|| version.to_owned())
}

/// Returns the folders that a path is in, from the nearest on.
fn above(path: &str) -> impl Iterator<Item = String> {
    let mut path = path.to_owned();
    std::iter::from_fn(move || {
        let (folder, _) = path.rsplit_once('/')?;
        path = folder.to_owned();
        Some(path.clone())
    })
}

/// Returns the C library that a binary is loaded with; empty where nothing tells.
fn libc(files: &Files, head: &[u8]) -> &'static str {
    let names = |loader: &[u8]| head.windows(loader.len()).any(|part| part == loader);
    if names(b"/ld-linux") {
        return "glibc";
    }
    if names(b"/ld-musl") {
        return "musl";
    }
    let folders = ["/lib", "/lib64"].map(|folder| files.names(folder));
    let is_there = |loader: &str| folders.iter().flatten().any(|name| name.starts_with(loader));
    match (is_there("ld-linux"), is_there("ld-musl")) {
        (true, false) => "glibc",
        (false, true) => "musl",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::super::files::tests::Put::{Folder, Link, Program};
    use super::super::files::tests::{Put, layers};
    use super::*;

    const GLIBC: &[u8] = b"\x7fELF\0/lib64/ld-linux-x86-64.so.2\0";
    const MUSL: &[u8] = b"\x7fELF\0/lib/ld-musl-x86_64.so.1\0";

    /// Checks the executable, its version, the folders of distributions and programs, and the C library.
    fn check(put: &[Put<'_>], variables: &[&str], expected: Result<Option<[&str; 5]>, &str>) {
        let variables: Vec<String> = variables.iter().map(|&text| text.to_owned()).collect();
        let found = find(&layers(&[put]), &variables);
        let expected = expected.map_err(str::to_owned).map(|python| {
            python.map(|python| {
                let [executable, version, packages, scripts, libc] = python.map(str::to_owned);
                ParentPython { executable, version, packages, scripts, libc }
            })
        });
        assert_eq!(found, expected);
    }

    #[test]
    fn the_official_image_has_it_below_usr_local() {
        let put = [
            Program("usr/local/bin/python3.11", GLIBC),
            Link("usr/local/bin/python3", "python3.11"),
            Link("usr/local/bin/python", "python3"),
            Program("usr/local/lib/python3.11/os.py", b""),
        ];
        let packages = "/usr/local/lib/python3.11/site-packages";
        let found = ["/usr/local/bin/python", "3.11", packages, "/usr/local/bin", "glibc"];
        check(&put, &["PATH=/usr/local/bin:/usr/bin"], Ok(Some(found)));
        check(&put, &[], Ok(Some(found)));
        check(&put, &["PATH=/usr/bin"], Ok(None));
    }

    #[test]
    fn debian_installs_beside_its_own() {
        let put = [
            Program("usr/bin/python3.11", GLIBC),
            Link("usr/bin/python", "python3.11"),
            Link("bin", "usr/bin"),
            Folder("usr/lib/python3/dist-packages"),
            Program("usr/lib/python3.11/os.py", b""),
        ];
        let packages = "/usr/local/lib/python3.11/dist-packages";
        let found = ["/bin/python", "3.11", packages, "/usr/local/bin", "glibc"];
        check(&put, &["PATH=/bin"], Ok(Some(found)));
    }

    #[test]
    fn a_virtual_environment_is_where_its_mark_is() {
        let put = [
            Program("usr/bin/python3.11", MUSL),
            Program("usr/lib/python3.11/os.py", b""),
            Program("venv/pyvenv.cfg", b"home = /usr/bin\n"),
            Link("venv/bin/python", "/usr/bin/python3.11"),
        ];
        let packages = "/venv/lib/python3.11/site-packages";
        let found = ["/venv/bin/python", "3.11", packages, "/venv/bin", "musl"];
        check(&put, &["PATH=/venv/bin"], Ok(Some(found)));
    }

    #[test]
    fn a_version_that_is_not_in_its_name_is_that_of_its_modules() {
        let put = [
            Program("opt/bin/python", b"\x7fELF moved"),
            Program("opt/lib/python3.12/os.pyc", b""),
            Program("lib64/ld-linux-x86-64.so.2", b""),
        ];
        let found = ["/opt/bin/python", "3.12", "/opt/lib/python3.12/site-packages", "/opt/bin"];
        let [executable, version, packages, scripts] = found;
        let found = [executable, version, packages, scripts, "glibc"];
        check(&put, &["PATH=/opt/bin"], Ok(Some(found)));
        let elsewhere = ["PATH=/opt/bin", "PYTHONHOME=/home"];
        let told = "nothing says where the modules of `/opt/bin/python` are";
        check(&put, &elsewhere, Err(told));
    }

    #[test]
    fn what_a_script_would_run_is_not_guessed() {
        let put = [Program("shims/python", b"#!/bin/sh\n")];
        let told = "`/shims/python` is no program but a script";
        check(&put, &["PATH=/shims"], Err(told));
    }
}
