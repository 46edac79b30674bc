//! What the keys of the screen do to the row that is chosen.

use sancho::api::{Acted, Api};

use super::state::{Row, State};
use crate::error::Result;

/// What can be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    Retry,
    Kill,
    Delete,
    /// A queue; or takes from it again.
    Pause,
    Quiet,
    Stop,
}

impl Deed {
    /// What it will do to a row, where it makes sense there.
    pub(super) fn plan(self, row: &Row) -> Option<String> {
        let name = row.name();
        Some(match (self, row) {
            (Self::Retry, Row::Timed(_)) => format!("run {name} again now?"),
            (Self::Kill, Row::Timed(entry)) if entry.set() != sancho::store::TimedSet::Dead => {
                format!("move {name} to the dead set?")
            }
            (Self::Delete, Row::Timed(_)) => format!("delete {name}?"),
            (Self::Pause, Row::Queue(queue)) if queue.paused => {
                format!("take jobs from {name} again?")
            }
            (Self::Pause, Row::Queue(_)) => format!("pause {name}?"),
            (Self::Quiet, Row::Process(_)) => format!("tell {name} to take no more jobs?"),
            (Self::Stop, Row::Process(_)) => format!("tell {name} to stop?"),
            _ => return None,
        })
    }
}

/// Does what was planned, and shows what came of it.
pub(super) async fn carry_out(api: &Api, state: &mut State) {
    let Some((deed, row)) = state.planned.take() else {
        return;
    };
    state.message = match act(api, deed, &row).await {
        Ok(done) => format!("{}: {done}", row.name()),
        Err(error) => error.to_string(),
    };
    state.try_refresh(api).await;
}

async fn act(api: &Api, deed: Deed, row: &Row) -> Result<&'static str> {
    let (acted, done) = match (deed, row) {
        (Deed::Retry, Row::Timed(entry)) => {
            (api.set(entry.set()).retry(entry).await?, "runs again")
        }
        (Deed::Kill, Row::Timed(entry)) => (api.set(entry.set()).kill(entry).await?, "is dead"),
        (Deed::Delete, Row::Timed(entry)) => {
            (api.set(entry.set()).delete(entry).await?, "is deleted")
        }
        (Deed::Pause, Row::Queue(queue)) if queue.paused => {
            api.queue(&queue.name)?.unpause().await?;
            (Acted::Done, "is taken from again")
        }
        (Deed::Pause, Row::Queue(queue)) => {
            api.queue(&queue.name)?.pause().await?;
            (Acted::Done, "is paused")
        }
        (Deed::Quiet, Row::Process(process)) => {
            api.quiet(&process.identity).await?;
            (Acted::Done, "is told to take no more jobs")
        }
        (Deed::Stop, Row::Process(process)) => {
            api.stop(&process.identity).await?;
            (Acted::Done, "is told to stop")
        }
        _ => (Acted::Gone, ""),
    };
    Ok(if acted.is_done() {
        done
    } else {
        "is gone: somebody else was faster"
    })
}
