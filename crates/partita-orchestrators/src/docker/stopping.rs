//! Ends the container of an attempt that is cancelled: politely, and then not.

use std::time::Duration;

use bollard::query_parameters::{KillContainerOptionsBuilder, RemoveContainerOptionsBuilder};
use tokio::sync::watch;
use tokio::time::sleep;

use super::engine::{Engine, Trouble};

/// How long a container that was killed may take to end before it is given up.
const ENDING: Duration = Duration::from_secs(10);

/// How often an engine that does not answer is asked again.
const AGAIN: Duration = Duration::from_millis(200);

/// How often the end of an attempt was asked for.
pub(super) type Asked = watch::Receiver<u32>;

/// Asks the container `name` to end once that is asked for, and kills it when its grace is over or it
/// is asked for again. Returns if it does not end then, either.
pub(super) async fn attend(engine: &Engine, name: &str, mut asked: Asked, grace: Duration) {
    times(&mut asked, 1).await;
    tokio::select! {
        () = async { signal(engine, name, "SIGTERM").await; sleep(grace).await } => {}
        () = sleep(grace) => {}
        () = times(&mut asked, 2) => {}
    }
    let kill = async {
        signal(engine, name, "SIGKILL").await;
        sleep(ENDING).await;
    };
    let _ = tokio::time::timeout(ENDING, kill).await;
}

/// Sends a signal to what runs in a container, if anything does.
pub(super) async fn signal(engine: &Engine, name: &str, signal: &str) {
    loop {
        let options = KillContainerOptionsBuilder::new().signal(signal).build();
        match engine.docker.kill_container(name, Some(options)).await.map_err(Trouble::from) {
            Err(Trouble::Away(_)) => sleep(AGAIN).await,
            Ok(()) | Err(_) => return,
        }
    }
}

/// Removes a container, whatever runs in it.
///
/// # Errors
/// If it stays.
pub(super) async fn remove(engine: &Engine, name: &str) -> Result<(), Trouble> {
    let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
    match engine.docker.remove_container(name, Some(options)).await.map_err(Trouble::from) {
        // It is gone, or somebody else removes it just now.
        Ok(()) | Err(Trouble::NotFound(_) | Trouble::Conflict(_)) => Ok(()),
        Err(trouble) => Err(trouble),
    }
}

/// Waits until the end was asked for so many times.
async fn times(asked: &mut Asked, count: u32) {
    if asked.wait_for(|asked| *asked >= count).await.is_err() {
        // Nobody will ask any more.
        std::future::pending::<()>().await;
    }
}
