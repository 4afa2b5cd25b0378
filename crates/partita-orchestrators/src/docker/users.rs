//! Whether the users that settings name may write to the artifact store. One who may not would be told
//! so in the step's log alone, once the step has begun.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use partita_core::deployment::Step;

use super::engine::{Engine, Trouble};
use super::preflight::PreflightError;
use super::settings::DockerOrchestratorSettings;
use super::unstarted;

/// The folder of an artifact store, as containers that it is mounted into see it.
#[derive(Debug, Clone, Copy)]
struct Folder<'a> {
    path: &'a Path,
    owner: u32,
    group: u32,
    mode: u32,
}

/// Somebody in a container.
#[derive(Debug, PartialEq, Eq)]
struct User {
    id: u32,
    groups: Vec<u32>,
}

impl<'a> Folder<'a> {
    /// Returns the folder as an engine's containers see it. One that is not there yet is made by whoever
    /// begins the run, for nobody else; root makes it for the owner of what is around it.
    fn seen_from(engine: &Engine, path: &'a Path) -> Option<Self> {
        let nearest = path.ancestors().find_map(|folder| fs::metadata(folder).ok())?;
        let mode = if path.exists() { nearest.mode() } else { 0o700 };
        let user = nix::unistd::geteuid();
        let (owner, group) = match path.exists() || user.is_root() {
            // To a rootless engine whoever runs it is root.
            _ if engine.is_rootless => (0, 0),
            true => (nearest.uid(), nearest.gid()),
            false => (user.as_raw(), nix::unistd::getegid().as_raw()),
        };
        Some(Self { path, owner, group, mode })
    }

    /// Returns whether somebody may put things into it.
    fn takes_from(self, user: &User) -> bool {
        let bits = if user.groups.contains(&self.group) { 0o030 } else { 0o003 };
        self.is_free_to(user.id) || self.mode & bits == bits
    }

    /// Returns whether it takes things from somebody whatever its mode is.
    fn is_free_to(self, id: u32) -> bool {
        [0, self.owner].contains(&id)
    }
}

/// Looks at the users of a run's steps, and into each image once.
pub(super) struct Users<'a> {
    engine: &'a Engine,
    folder: Option<Folder<'a>>,
    accounts: HashMap<&'a str, Accounts>,
}

impl<'a> Users<'a> {
    /// Returns what looks at users who write to `store`, the folder of a store that is mounted.
    pub(super) fn new(engine: &'a Engine, store: Option<&'a Path>) -> Self {
        let folder = store.and_then(|path| Folder::seen_from(engine, path));
        Self { engine, folder, accounts: HashMap::new() }
    }

    /// Checks the user that a step names, if it names one.
    pub(super) async fn check(
        &mut self,
        step: &Step,
        image: &'a str,
        settings: &DockerOrchestratorSettings,
    ) -> Result<(), PreflightError> {
        let named = settings.user.as_ref().or(step.config.docker.user.as_ref());
        let (Some(asked), Some(folder)) = (named, self.folder) else { return Ok(()) };
        if ids(asked).is_some_and(|id| folder.is_free_to(id)) {
            return Ok(());
        }
        let accounts = match self.accounts.entry(image) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => unknown.insert(accounts_of(self.engine, image).await?),
        };
        let user = accounts.find(asked, &settings.groups).map_err(|missing| {
            PreflightError::Unfit(format!(
                "step `{}` is to run as `{asked}`, and the image `{image}` has no {missing}; name one that it has, give a number, or take `user` away: the step then runs as you",
                step.name
            ))
        })?;
        if folder.takes_from(&user) {
            return Ok(());
        }
        Err(PreflightError::Unfit(format!(
            "step `{}` is to run as `{asked}`, who may not write to the artifact store's folder `{}`; take `user` away: the step then runs as you; or make it `root`, whose files in there are given to you",
            step.name,
            folder.path.display()
        )))
    }
}

/// Returns the number of a user who is named by numbers alone.
fn ids(asked: &str) -> Option<u32> {
    let (user, group) = asked.split_once(':').unwrap_or((asked, "0"));
    group.parse::<u32>().ok()?;
    user.parse().ok()
}

async fn accounts_of(engine: &Engine, image: &str) -> Result<Accounts, PreflightError> {
    let read = unstarted::look(engine, image, async |container| {
        let users = container.text("/etc/passwd").await?.unwrap_or_default();
        Ok(Accounts { users, groups: container.text("/etc/group").await?.unwrap_or_default() })
    });
    read.await.map_err(|trouble| match trouble {
        Trouble::Away(why) => PreflightError::Away(engine.away(&why)),
        trouble => PreflightError::Unfit(format!(
            "the users of the image `{image}` cannot be looked at: {trouble}"
        )),
    })
}

/// The users and groups of an image, as its `/etc/passwd` and `/etc/group` have them.
#[derive(Debug, Default)]
struct Accounts {
    users: String,
    groups: String,
}

impl Accounts {
    /// Returns who it is that settings name as `USER` or `USER:GROUP`, with more groups; or what the
    /// image does not have.
    fn find(&self, asked: &str, more: &[String]) -> Result<User, String> {
        let (name, group) = asked.split_once(':').unwrap_or((asked, ""));
        let number = name.parse().ok();
        let mut lines = lines(&self.users);
        let known = lines.find(|line| line[0] == name || number.is_some() && id(line, 2) == number);
        let id = known.as_ref().and_then(|line| id(line, 2)).or(number);
        let id = id.ok_or_else(|| format!("user `{name}`"))?;
        let mut groups = match (group, &known) {
            ("", Some(line)) => self.groups_of(line),
            ("", None) => vec![0],
            (group, _) => vec![self.group(group)?],
        };
        for group in more {
            groups.push(self.group(group)?);
        }
        Ok(User { id, groups })
    }

    /// Returns the groups that a user is in who names none.
    fn groups_of(&self, user: &[&str]) -> Vec<u32> {
        let is_in = |line: &Vec<&str>| {
            line.get(3).is_some_and(|members| members.split(',').any(|member| member == user[0]))
        };
        let others = lines(&self.groups).filter(is_in).filter_map(|line| id(&line, 2));
        id(user, 3).into_iter().chain(others).collect()
    }

    fn group(&self, name: &str) -> Result<u32, String> {
        let mut lines = lines(&self.groups);
        let known = lines.find(|line| line[0] == name).and_then(|line| id(&line, 2));
        known.or_else(|| name.parse().ok()).ok_or_else(|| format!("group `{name}`"))
    }
}

/// Returns the fields of each line.
fn lines(text: &str) -> impl Iterator<Item = Vec<&str>> {
    text.lines().map(|line| line.trim().split(':').collect())
}

fn id(line: &[&str], field: usize) -> Option<u32> {
    line.get(field)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accounts() -> Accounts {
        Accounts {
            users: "root:x:0:0:root:/root:/bin/sh\n\napp:x:1000:1001::/home/app:/bin/sh\n"
                .to_owned(),
            groups: "root:x:0:\nwheel:x:10:root,app\nteam:x:50:\n".to_owned(),
        }
    }

    #[test]
    fn users_are_those_whom_an_engine_would_take() {
        for (asked, id, groups) in [
            ("root", 0, vec![0, 10]),
            ("app", 1000, vec![1001, 10]),
            ("1000", 1000, vec![1001, 10]),
            ("app:team", 1000, vec![50]),
            ("app:7", 1000, vec![7]),
            ("1234", 1234, vec![0]),
            ("1234:team", 1234, vec![50]),
        ] {
            assert_eq!(accounts().find(asked, &[]), Ok(User { id, groups }), "{asked}");
        }
        let more = ["team".to_owned(), "8".to_owned()];
        let found = accounts().find("1234:7", &more);
        assert_eq!(found, Ok(User { id: 1234, groups: vec![7, 50, 8] }));
    }

    #[test]
    fn users_and_groups_that_an_image_lacks_are_named() {
        for (accounts, asked, missing) in [
            (accounts(), "nosuch", "user `nosuch`"),
            (accounts(), "app:nosuch", "group `nosuch`"),
            (Accounts::default(), "root", "user `root`"),
        ] {
            assert_eq!(accounts.find(asked, &[]), Err(missing.to_owned()));
        }
    }

    #[test]
    fn a_folder_takes_from_root_its_owner_and_whom_its_mode_lets() {
        let may = |mode: u32, id: u32, group: u32| {
            let folder = Folder { path: Path::new("/store"), owner: 1500, group: 50, mode };
            folder.takes_from(&User { id, groups: vec![group] })
        };
        assert!(may(0o700, 0, 0) && may(0o700, 1500, 7));
        assert!(!may(0o700, 1234, 50) && !may(0o755, 1234, 50) && !may(0o707, 1234, 50));
        assert!(may(0o770, 1234, 50) && !may(0o770, 1234, 7));
        assert!(may(0o777, 1234, 7) && !may(0o776, 1234, 7));
    }
}
