//! Showing this process and what it runs, in Sidekiq's form, and obeying what it is told.

pub(crate) mod cleanup;
mod description;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

pub(crate) use description::LABEL;

use super::insist::CommitLane;
use super::{Engine, metrics, mourn};
use crate::job::payload::{Record, Wire};
use crate::job::{one_line, short};
use crate::store::{Effect, Fields, Interest, Key, Members, Tx, TxResult, keys};
use description::Description;
pub(super) use description::identity;

/// How often it is written what this process does. Where there is nothing new to tell, every second time.
const BEAT: Duration = Duration::from_secs(5);

/// How long a process is shown after its last beat, as in Sidekiq.
const SHOWN_FOR: Duration = Duration::from_secs(60);

/// How long it waits at most for an order: a belt for wake-ups that are lost.
const LONGEST_SLEEP: Duration = Duration::from_secs(10);

pub(super) struct Presence {
    engine: Arc<Engine>,
    lane: CommitLane,
    interest: Interest,
    identity: String,
    description: Description,
    /// The last beat, and what it told.
    beaten: Option<(Instant, Told)>,
    /// How long the last beat's round trip took.
    round_trip: Duration,
    cleaned_up: Option<Instant>,
    /// Processes that were warned about.
    older: HashSet<String>,
    failing: bool,
}

/// What a beat tells, as far as it changes what is worth to be told.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Told {
    busy: usize,
    stuck: usize,
    quiet: bool,
    /// How often capsules and the schedule were changed.
    changes: u64,
}

/// Why the loop goes on.
enum Event {
    Tick,
    Order,
    Left,
}

impl Presence {
    pub(super) fn new(engine: Arc<Engine>) -> Self {
        let identity = engine.identity.clone();
        Self {
            description: Description::new(&identity, engine.clock.now()),
            identity,
            engine,
            lane: CommitLane::new(),
            interest: Interest::lists(),
            beaten: None,
            round_trip: Duration::ZERO,
            cleaned_up: None,
            older: HashSet::new(),
            failing: false,
        }
    }

    /// Runs until the process has left, which is later than when it begins to stop: its jobs are still running.
    pub(super) async fn run(mut self, left: CancellationToken) {
        let engine = self.engine.clone();
        let mut ticks = interval(BEAT);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let shows_quiet = self.beaten.is_some_and(|(_, told)| told.quiet);
            let event = tokio::select! {
                biased;
                () = left.cancelled() => Event::Left,
                () = engine.handle.quieted().cancelled(), if !shows_quiet => Event::Tick,
                _ = ticks.tick() => Event::Tick,
                () = engine.wait(&self.interest, LONGEST_SLEEP) => Event::Order,
            };
            // A store that is away holds nobody up who wants to leave.
            let done = match event {
                Event::Tick => left.run_until_cancelled(self.step()).await,
                Event::Order => left.run_until_cancelled(self.obey()).await,
                Event::Left => None,
            };
            if done.is_none() {
                break;
            }
        }
        self.farewell().await;
    }

    async fn step(&mut self) {
        let told = self.told();
        let is_news = self
            .beaten
            .is_none_or(|(at, last)| told != last || told.busy > 0 || at.elapsed() > BEAT * 3 / 2);
        if is_news {
            self.beat().await;
            self.engine.hooks.beat();
        }
        if self
            .cleaned_up
            .is_none_or(|at| at.elapsed() >= cleanup::CLEAN_UP_EVERY)
        {
            self.cleaned_up = Some(Instant::now());
            self.clean_up().await;
        }
    }

    fn told(&self) -> Told {
        let (busy, stuck) = self.engine.counts();
        let handle = &self.engine.handle;
        let capsules = handle.states().iter();
        Told {
            busy,
            stuck,
            quiet: handle.is_quiet(),
            changes: capsules.map(|it| it.version()).sum::<u64>() + handle.plan().version(),
        }
    }

    async fn beat(&mut self) {
        let (told, now) = (self.told(), self.engine.clock.now());
        let info = self
            .description
            .info(&self.engine.config, self.engine.handle.states());
        let mut hash = description::fields(info, told, self.round_trip, now);
        hash.extend(self.engine.handle.plan().told());
        hash.extend(mourn::told(&self.engine));
        let mut effects = vec![
            Effect::Join(Members::Processes, self.identity.as_str().into()),
            Effect::SetFields {
                key: keys::process(&self.identity),
                fields: hash,
                ttl: Some(SHOWN_FOR),
            },
        ];
        let work = description::work(&self.engine.work());
        for key in self.work_keys() {
            effects.push(Effect::Unset(key.clone()));
            if !work.is_empty() {
                effects.push(Effect::SetFields {
                    key,
                    fields: work.clone(),
                    ttl: Some(SHOWN_FOR),
                });
            }
        }
        let start = Instant::now();
        self.write(effects).await;
        self.round_trip = start.elapsed();
        self.beaten = Some((start, told));
    }

    /// Where running work stands.
    fn work_keys(&self) -> Vec<Key> {
        let mut work = vec![keys::work(&self.identity)];
        if self.engine.config.wire == Wire::Sidekiq6 {
            work.push(keys::workers(&self.identity));
        }
        work
    }

    /// Writes what is to be told, and what was counted since the last time: each on its own, so that counts that the store cannot
    /// take keep nobody from being shown, or from leaving.
    async fn write(&mut self, effects: Vec<Effect>) {
        let counts = self.engine.observed().metrics.take();
        let now = self.engine.clock.now().into();
        let counted = metrics::effects(&counts, self.engine.config.wire, now);
        let results = self
            .commit(vec![Tx::always(effects), Tx::always(counted)])
            .await;
        if matches!(results.get(1), Some(TxResult::Failed { .. })) {
            self.engine.observed().metrics.put_back(counts);
        }
        let error = results.into_iter().find_map(|result| match result {
            TxResult::Failed { error } => Some(error),
            _ => None,
        });
        if let Some(error) = &error
            && !self.failing
        {
            let error = one_line(error);
            tracing::error!(%error, "the store could not take what this process tells of itself, it is tried again: {error}");
        }
        self.failing = error.is_some();
    }

    async fn commit(&mut self, mut txs: Vec<Tx>) -> Vec<TxResult> {
        txs.iter_mut().for_each(Tx::put_in_order);
        let (store, away) = (self.engine.store.as_ref(), &self.engine.away);
        self.lane.commit(store, away, txs).await
    }

    /// Obeys what this process was told through the store, in order, each once.
    async fn obey(&mut self) {
        let key = keys::signals(&self.identity);
        let (store, away) = (self.engine.store.clone(), self.engine.away.clone());
        let orders = away.insist(|| store.list(&key)).await;
        if orders.is_empty() {
            return;
        }
        let strike = |item: &Bytes| Effect::Strike {
            key: key.clone(),
            item: item.clone(),
        };
        let strikes = Tx::always(orders.iter().map(strike).collect());
        self.commit(vec![strikes]).await;
        for order in &orders {
            let handle = &self.engine.handle;
            match &order[..] {
                b"TSTP" => handle.quiet(),
                b"TERM" | b"INT" => handle.stop(),
                b"TTIN" => handle.dump(),
                other => {
                    let order = String::from_utf8_lossy(other);
                    let order = one_line(order);
                    tracing::warn!(%order, "this process was told {order}, which it does not know");
                }
            }
        }
        self.beat().await;
    }

    /// Takes processes that are gone out of the set, if no other process has done so within a minute, and warns about those that
    /// do not read what is written here.
    async fn clean_up(&mut self) {
        let (store, away) = (self.engine.store.clone(), self.engine.away.clone());
        let turn = vec![cleanup::take_turn()];
        let results = self.lane.commit(store.as_ref(), &away, turn).await;
        let processes = away.insist(|| store.members(Members::Processes)).await;
        let hashes: Vec<Key> = processes.iter().map(|name| keys::process(name)).collect();
        let fields = away.insist(|| store.fields(&hashes)).await;
        let mut gone = Vec::new();
        for (identity, fields) in processes.into_iter().zip(fields) {
            if cleanup::is_gone(&fields) {
                gone.push(cleanup::leave(&identity));
            } else if let Some(version) = description::older(&fields, self.engine.config.wire)
                && self.older.insert(identity.clone())
            {
                let wire = self.engine.config.wire;
                let (named, version) = (one_line(&identity), one_line(version));
                tracing::warn!(
                    identity = %named,
                    %version,
                    "the process {named} is Sidekiq {version}, which does not read all that is written for {wire:?}: set `sidekiq_wire` to its version"
                );
            }
        }
        if results.contains(&TxResult::Applied) && !gone.is_empty() {
            self.lane.commit(store.as_ref(), &away, gone).await;
        }
    }

    /// Takes this process out of the set. Its hash runs out by itself, as in Sidekiq.
    async fn farewell(&mut self) {
        // A beat that was cut off may have used the next number of its lane.
        self.lane = CommitLane::new();
        let mut effects: Vec<_> = self.work_keys().into_iter().map(Effect::Unset).collect();
        effects.push(Effect::Leave(
            Members::Processes,
            self.identity.as_str().into(),
        ));
        self.write(effects).await;
    }
}

/// The hashes of the other processes that show themselves.
pub(super) async fn others(engine: &Engine) -> Vec<Fields> {
    let (store, away) = (engine.store.as_ref(), &engine.away);
    let mut names = away.insist(|| store.members(Members::Processes)).await;
    names.retain(|name| *name != engine.identity);
    let hashes: Vec<Key> = names.iter().map(|name| keys::process(name)).collect();
    if hashes.is_empty() {
        return Vec::new();
    }
    away.insist(|| store.fields(&hashes)).await
}

/// Logs what every slot is doing whenever that is asked for, until the process has left. A duty of its own, since it must
/// answer while the store does not.
pub(super) async fn answer_dumps(engine: Arc<Engine>, left: CancellationToken) {
    while left
        .run_until_cancelled(engine.handle.dump_asked())
        .await
        .is_some()
    {
        let work = engine.work();
        let now = engine.clock.now();
        tracing::info!("{} of {} slots are busy", work.len(), engine.concurrency());
        for running in work {
            let seconds = now.since(running.since).as_secs_f64();
            let queue = &*running.claimed.queue;
            let record = Record::parse(running.claimed.payload).ok();
            let (class, jid) = record
                .as_ref()
                .map_or(("", ""), |record| (record.class(), record.jid().as_str()));
            let (class, jid) = (short(class), short(jid));
            tracing::info!(
                class,
                jid,
                queue,
                seconds,
                stuck = running.stuck,
                "running {} for {seconds:.3} s",
                one_line(class)
            );
        }
    }
}
