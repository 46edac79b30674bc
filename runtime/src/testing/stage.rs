//! What a fake is made of: a store in memory, a clock, and what its jobs run with.

mod drain;
mod run;

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;

use super::{Clock, Enqueued};
use crate::api::Api;
use crate::client::default;
use crate::client::stand_in::{self, Sink, StandIn, Submitted};
use crate::client::{Client, Config};
use crate::engine::ServerBuilder;
use crate::engine::alone::{self, Alone};
use crate::job::payload::Record;
use crate::job::{Definition, JobId, Timestamp};
use crate::store::memory::MemoryStore;
use crate::store::{
    Answer, Batch, Commit, Effect, Lane, Order, Place, PlaceName, Store, TimedSet, Tx, TxResult,
};
use run::serves;

/// The sets that jobs come due in.
const DUE_SETS: [TimedSet; 2] = [TimedSet::Retry, TimedSet::Schedule];

const A_DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Where the pushes of a test go.
pub(super) struct Stage {
    kind: Kind,
    store: Arc<dyn Store>,
    clock: Clock,
    settings: Mutex<Settings>,
    pushes: Mutex<Pushes>,
    /// Held while a job is claimed, so that nobody else takes it.
    claiming: tokio::sync::Mutex<()>,
}

/// What becomes of a push.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    /// It is collected.
    Fake,
    /// It runs.
    Inline,
    /// A server takes it, through this client.
    Served(Client),
}

/// What jobs run with.
struct Settings {
    /// What surrounds a push.
    config: Config,
    /// What runs.
    server: ServerBuilder,
    engines: Vec<(&'static Definition, Arc<Alone>)>,
}

/// The pushes so far.
#[derive(Debug)]
struct Pushes {
    lane: Lane,
    seq: u64,
    /// The order of jobs: by their first push.
    order: HashMap<JobId, usize>,
}

/// Which jobs are meant.
#[derive(Clone, Copy, Debug)]
pub(super) enum Which {
    All,
    Of(&'static Definition),
}

impl Which {
    pub(super) fn includes(self, job: &Enqueued) -> bool {
        match self {
            Self::All => true,
            Self::Of(definition) => serves(definition, job.payload()),
        }
    }

    fn definition(self) -> Option<&'static Definition> {
        match self {
            Self::All => None,
            Self::Of(definition) => Some(definition),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::All => "",
            Self::Of(definition) => definition.name,
        }
    }
}

impl Stage {
    pub(super) fn new(kind: impl FnOnce(&Arc<dyn Store>, &Clock) -> Kind) -> Arc<Self> {
        let clock = Clock::starting_now();
        let store: Arc<dyn Store> = Arc::new(MemoryStore::with_clock(clock.source()));
        let mut config = Config::new();
        config.adopt(&default::surroundings());
        let states = config.surroundings().states.clone();
        Arc::new(Self {
            kind: kind(&store, &clock),
            store,
            clock,
            settings: Mutex::new(Settings {
                config,
                server: ServerBuilder::default().fill_states_from(&states),
                engines: Vec::new(),
            }),
            pushes: Mutex::new(Pushes {
                lane: Lane::random(),
                seq: 0,
                order: HashMap::new(),
            }),
            claiming: tokio::sync::Mutex::new(()),
        })
    }

    /// The stage of the test that asks.
    #[track_caller]
    pub(super) fn current() -> Arc<Self> {
        let stand_in = stand_in::stand_in()
            .map(|stand_in| -> Arc<dyn std::any::Any + Send + Sync> { stand_in });
        match stand_in.map(Arc::downcast) {
            Some(Ok(stage)) => stage,
            Some(Err(_)) | None => panic!(
                "there is no fake here: begin the test with `let fake = sancho::testing::fake();`, on the runtime or the thread that asks \
                 for its jobs, and keep it to the end"
            ),
        }
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.clock
    }

    pub(super) fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    pub(super) fn api(self: &Arc<Self>) -> Api {
        Api::new(&self.clone().client()).with_clock(self.clock.source())
    }

    /// Changes what jobs are pushed and run with.
    pub(super) fn change(
        &self,
        change: impl FnOnce(Config, ServerBuilder) -> (Config, ServerBuilder),
    ) {
        let mut settings = self.settings();
        (settings.config, settings.server) =
            change(settings.config.clone(), settings.server.clone());
        settings.engines.clear();
    }

    /// What is enqueued or scheduled, in the order in which it was pushed.
    pub(super) fn enqueued(&self, which: Which) -> Vec<Enqueued> {
        let mut jobs = self.in_queues();
        jobs.extend(self.in_set(TimedSet::Schedule));
        jobs.retain(|job| which.includes(job));
        self.put_in_order(&mut jobs);
        jobs
    }

    /// What stands in a timed set, earliest first.
    pub(super) fn in_set(&self, set: TimedSet) -> Vec<Enqueued> {
        let place = PlaceName::Timed(set);
        let page = self.store.page(&place, Order::Forward, 0, usize::MAX);
        let entries = answered(page).entries;
        let job = |entry: crate::store::Entry| {
            Enqueued::in_set(set, entry.at.unwrap_or_default(), entry.payload)
        };
        entries.into_iter().map(job).collect()
    }

    fn in_queues(&self) -> Vec<Enqueued> {
        let mut jobs = Vec::new();
        for queue in answered(self.store.census()).queues {
            let name: Arc<str> = queue.name.into();
            let place = PlaceName::Queue(name.clone());
            let page = answered(self.store.page(&place, Order::Forward, 0, usize::MAX));
            let job = |entry: crate::store::Entry| Enqueued::in_queue(name.clone(), entry.payload);
            jobs.extend(page.entries.into_iter().map(job));
        }
        jobs
    }

    fn put_in_order(&self, jobs: &mut [Enqueued]) {
        let pushes = self.pushes();
        jobs.sort_by_key(|job| pushes.order.get(job.jid()).copied().unwrap_or(usize::MAX));
    }

    /// What is due and stands in its queue.
    fn waiting(&self, which: Which) -> Vec<Enqueued> {
        let now = self.clock.now();
        for set in DUE_SETS {
            let due = answered(self.store.due(set, now, usize::MAX)).entries;
            for entry in due {
                self.commit(alone::promotion(set, &entry.payload, now));
            }
        }
        let mut jobs = self.in_queues();
        jobs.retain(|job| which.includes(job));
        self.put_in_order(&mut jobs);
        jobs
    }

    /// Drops what is enqueued or scheduled.
    pub(super) fn clear(&self, which: Which) {
        for job in self.enqueued(which) {
            self.remove(job.place(), job.payload());
        }
    }

    /// Drops what waits for another try, or is dead.
    pub(super) fn clear_ended(&self) {
        for job in [TimedSet::Retry, TimedSet::Dead]
            .iter()
            .flat_map(|set| self.in_set(*set))
        {
            self.remove(job.place(), job.payload());
        }
    }

    fn remove(&self, from: PlaceName, payload: &Bytes) {
        self.commit(Tx::always(vec![Effect::Take(from, payload.clone())]));
    }

    /// Wakes who sleeps until the next entry of a timed set, or the next tick of the cron, is due, since the clock has jumped.
    pub(super) fn wake(&self) {
        let payload = Bytes::from_static(b"{}");
        let (set, at) = (TimedSet::Schedule, self.clock.now().after(A_DAY));
        self.commit(Tx::always(vec![
            Effect::Put(payload.clone(), Place::Timed { set, at }),
            Effect::Take(set.into(), payload),
            crate::engine::cron::stored::ring(),
        ]));
    }

    pub(super) fn commit(&self, tx: Tx) -> TxResult {
        let mut pushes = self.pushes();
        pushes.seq += 1;
        let batch = Batch {
            lane: pushes.lane.clone(),
            seq: pushes.seq,
            txs: vec![tx],
        };
        match answered(self.store.commit(&batch)) {
            Commit::Done(mut results) => results.remove(0),
            Commit::Stale => unreachable!("the numbers of this lane only grow"),
        }
    }

    fn settings(&self) -> MutexGuard<'_, Settings> {
        self.settings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pushes(&self) -> MutexGuard<'_, Pushes> {
        self.pushes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StandIn for Stage {
    fn client(self: Arc<Self>) -> Client {
        if let Kind::Served(client) = &self.kind {
            return client.clone();
        }
        let config = self.settings().around_inline_runs();
        let (store, clock) = (self.store.clone(), self.clock.source());
        Client::into_sink(self, store, &config, clock)
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn configure(&self, config: &Config) {
        self.change(|mut own, server| {
            own.adopt(config.surroundings());
            let server = server.fill_states_from(&config.surroundings().states);
            (own, server)
        });
    }
}

impl Sink for Stage {
    fn submit(&self, tx: Tx) -> Pin<Box<dyn Future<Output = Submitted> + Send + '_>> {
        let pushed: Vec<_> = tx
            .then
            .iter()
            .filter_map(put)
            .map(|(payload, place)| (payload.clone(), place.clone()))
            .collect();
        for (payload, _) in &pushed {
            if let Ok(record) = Record::parse(payload.clone()) {
                let mut pushes = self.pushes();
                let next = pushes.order.len();
                pushes.order.entry(record.jid().clone()).or_insert(next);
            }
        }
        let result = self.commit(tx);
        Box::pin(async move {
            if !matches!((&self.kind, &result), (Kind::Inline, TxResult::Applied)) {
                return Submitted::Answered(result);
            }
            let mut pushed = pushed.into_iter();
            while let Some((payload, place)) = pushed.next() {
                let submitted = self.run_pushed(payload, place).await;
                if !matches!(submitted, Submitted::Answered(_)) {
                    for (payload, place) in pushed {
                        self.remove(place_name(place), &payload);
                    }
                    return submitted;
                }
            }
            Submitted::Answered(result)
        })
    }
}

fn put(effect: &Effect) -> Option<(&Bytes, &Place)> {
    match effect {
        Effect::Put(payload, place) => Some((payload, place)),
        _ => None,
    }
}

fn place_name(place: Place) -> PlaceName {
    match place {
        Place::Queue { name, .. } => PlaceName::Queue(name),
        Place::Timed { set, .. } => set.into(),
    }
}

impl Settings {
    /// The configuration of the client: inline runs have the middleware of this test's other runs, where it has any.
    fn around_inline_runs(&self) -> Config {
        let (config, chain) = (self.config.clone(), self.server.middlewares());
        match chain.is_empty() {
            true => config,
            false => config.with_server_middleware(chain.clone()),
        }
    }
}

/// What a store in memory answers: it never waits, and is never away.
pub(super) fn answered<T>(answer: Answer<'_, T>) -> T {
    match pin!(answer)
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
    {
        Poll::Ready(Ok(answer)) => answer,
        Poll::Ready(Err(_)) | Poll::Pending => {
            unreachable!("a store in memory answers at once")
        }
    }
}

impl fmt::Debug for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stage")
            .field("kind", &self.kind)
            .field("clock", &self.clock)
            .finish_non_exhaustive()
    }
}
