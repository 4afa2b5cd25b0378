//! The values of secrets on their way to the processes of steps.
//!
//! They are in memory alone, which the engine keeps open, and no process inherits: the step's opens
//! it by its name under `/proc`, as only processes of the same user can.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use nix::sys::memfd::{MFdFlags, memfd_create};
use partita_core::deployment::Step;
use partita_core::secret::{self, Reference};
use partita_core::stack::Component;

use super::Secrets;

/// The values that steps take, for as long as this is kept.
pub struct Handed(File);

impl Handed {
    /// Returns what `steps` take of `secrets`; `None` if they take nothing.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn to(steps: &[Step], secrets: Option<&Arc<Secrets>>) -> io::Result<Option<Self>> {
        Self::of(steps.iter().flat_map(secret::taken_by), secrets)
    }

    /// Returns what `steps` take, and what the configuration of their orchestrator holds: that may
    /// reach them by ways of its own, and they are not to print it.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn with_orchestrator(
        steps: &[Step],
        orchestrator: &Component,
        secrets: Option<&Arc<Secrets>>,
    ) -> io::Result<Option<Self>> {
        let held = secret::of_component(orchestrator).into_iter().map(|(_, reference)| reference);
        Self::of(steps.iter().flat_map(secret::taken_by).chain(held), secrets)
    }

    fn of(
        taken: impl Iterator<Item = Reference>,
        secrets: Option<&Arc<Secrets>>,
    ) -> io::Result<Option<Self>> {
        let Some(secrets) = secrets else { return Ok(None) };
        let taken: BTreeSet<Reference> = taken.collect();
        if taken.is_empty() {
            return Ok(None);
        }
        let values = secrets.encode(&taken).map_err(io::Error::other)?;
        let mut file = File::from(memfd_create("partita-secrets", MFdFlags::MFD_CLOEXEC)?);
        file.write_all(&values)?;
        Ok(Some(Self(file)))
    }

    /// Returns them as the step entrypoint reads them, for a place that sees no process of this one.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn values(&self) -> io::Result<Vec<u8>> {
        let length = usize::try_from(self.0.metadata()?.len()).map_err(io::Error::other)?;
        let mut values = vec![0; length];
        self.0.read_exact_at(&mut values, 0)?;
        Ok(values)
    }

    /// Returns where a step's process finds them.
    pub fn path(&self) -> String {
        format!("/proc/{}/fd/{}", std::process::id(), self.0.as_raw_fd())
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;
    use std::slice;

    use nix::fcntl::{FcntlArg, FdFlag, fcntl};
    use secrecy::SecretString;

    use super::*;

    fn step(parameters: &str) -> Step {
        let text = format!(r#"{{"name":"fetch","source":"main:fetch","parameters":{parameters}}}"#);
        serde_json::from_str(&text).expect("a step")
    }

    fn secrets() -> Arc<Secrets> {
        let reference = |key: &str| Reference { name: "hub".to_owned(), key: key.to_owned() };
        let value = |key: &str| (reference(key), SecretString::from(format!("value of {key}")));
        Arc::new(Secrets::new([value("token"), value("other")].into()).expect("secrets"))
    }

    #[test]
    fn a_step_gets_what_it_takes_and_no_process_inherits_it() {
        let taking = step(r#"{"token":"{{hub.token}}"}"#);
        let handed = Handed::to(slice::from_ref(&taking), Some(&secrets()))
            .expect("made")
            .expect("handed over");
        let read = std::fs::read_to_string(handed.path()).expect("read");
        assert_eq!(read, r#"[["hub","token","value of token"]]"#);
        assert_eq!(handed.values().expect("read"), read.as_bytes());
        let flags = fcntl(handed.0.as_fd(), FcntlArg::F_GETFD).expect("flags");
        assert!(FdFlag::from_bits_retain(flags).contains(FdFlag::FD_CLOEXEC));
        let plain = step(r#"{"token":"hub"}"#);
        assert!(Handed::to(slice::from_ref(&plain), Some(&secrets())).expect("nothing").is_none());
        assert!(Handed::to(&[taking], None).expect("nothing").is_none());
    }
}
