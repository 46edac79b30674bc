//! Running single jobs without a server's loops, as tests do: claimed, executed and settled by the same ways.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::Mutex;

use super::config::EngineConfig;
use super::session::Claims;
use super::{Engine, Server, checkpoints, execute, promote};
use crate::client::Client;
use crate::job::{Cancel, Ending, Timestamp, panic};
use crate::store::{
    ClaimId, Claimed, Effect, End, Guard, Place, PlaceName, Source, TimedSet, Tx, TxResult,
    Unavailable,
};

/// An engine without its loops. It renews no lease, so it is for a store that nobody else works on.
#[derive(Debug)]
pub(crate) struct Alone(Arc<Engine>);

impl Alone {
    /// What this server would be, on the store of this client.
    ///
    /// # Errors
    /// A store that gives no answer.
    pub(crate) async fn start(server: Server, client: &Client) -> Result<Self, Unavailable> {
        panic::remember_places();
        let engine = server.engine(client);
        engine.session.start().await?;
        Ok(Self(Arc::new(engine)))
    }

    /// Runs the job with these bytes in this queue, if it is still there. `claiming` is held while it is claimed: whoever works on
    /// the same store shares it, so that nobody claims a job that another has moved to the head.
    ///
    /// # Cancel safety
    /// Dropped, the job stays claimed for ever.
    pub(crate) async fn run(
        &self,
        queue: &Arc<str>,
        payload: &Bytes,
        claiming: &Mutex<()>,
    ) -> Option<Ending> {
        let (claim, claimed) = {
            let _claiming = claiming.lock().await;
            self.claim(queue, payload).await?
        };
        let cancel = Cancel::default();
        let checkpoints = checkpoints::of(&self.0, &claim);
        let (executed, ending) =
            execute::attempt(&self.0, claim, &claimed, &cancel, &checkpoints).await?;
        self.0.session.turn(&[executed.tx], Vec::new(), 0).await;
        Some(ending)
    }

    async fn claim(&self, queue: &Arc<str>, payload: &Bytes) -> Option<(ClaimId, Claimed)> {
        let session = &self.0.session;
        let moved = session
            .turn(&[to_head(queue, payload)], Vec::new(), 0)
            .await;
        if moved.results != [TxResult::Applied] {
            return None;
        }
        let source = Source {
            queue: queue.clone(),
            share: 0,
        };
        let Some(Claims::Taken { owner, jobs, .. }) =
            session.turn(&[], vec![source], 1).await.claimed
        else {
            return None;
        };
        let claimed = jobs.into_iter().next()?;
        let token = claimed.token;
        Some((ClaimId { owner, token }, claimed))
    }
}

/// Moves a job to the head of its queue.
fn to_head(queue: &Arc<str>, payload: &Bytes) -> Tx {
    let (name, end) = (queue.clone(), End::Head);
    let from = PlaceName::Queue(queue.clone());
    let mut tx = Tx::when(
        Guard::Contains(from.clone(), payload.clone()),
        vec![
            Effect::Put(payload.clone(), Place::Queue { name, end }),
            Effect::Take(from, payload.clone()),
        ],
    );
    tx.put_in_order();
    tx
}

/// Moves an entry of a timed set to its queue, as the loop does when it is due.
pub(crate) fn promotion(set: TimedSet, payload: &Bytes, now: Timestamp) -> Tx {
    promote::promotion(&EngineConfig::default(), set, payload, now)
}
