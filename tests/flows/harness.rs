//! What flows stand on: a store with a test clock, servers that are stopped, and jobs that report.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sancho::Client;
use sancho::api::Api;
use sancho::job::Timestamp;
use sancho::runtime::{Server, ServerBuilder};
use sancho::store::{
    Batch, Commit, Effect, End, Entry, Lane, Order, Place, PlaceName, Stat, Store, TestClock,
    TimedSet, Tx, TxResult,
};
use sancho_tests::{Clock, Fixture, Kind};
use serde::Deserializer as _;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

/// How long a flow waits for what must happen. Far longer than it takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// Registers a flow for every store. One that makes its store itself is given its kind.
macro_rules! flows {
    (of kind $($name:ident)*) => {$(
        mod $name {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn memory() {
                super::$name(sancho_tests::Kind::Memory).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                super::$name(sancho_tests::Kind::Sqlite).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn redis() {
                super::$name(sancho_tests::Kind::Redis).await;
            }
        }
    )*};
    ($($name:ident)*) => {$(
        mod $name {
            use crate::harness::Flow;

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn memory() {
                super::$name(Flow::on(sancho_tests::Kind::Memory).await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                super::$name(Flow::on(sancho_tests::Kind::Sqlite).await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn redis() {
                super::$name(Flow::on(sancho_tests::Kind::Redis).await).await;
            }
        }
    )*};
}
pub(crate) use flows;

/// A store, its clock and a client.
pub(crate) struct Flow {
    pub(crate) client: Client,
    clock: Clock,
    /// Keeps the file or server.
    fixture: Option<Fixture>,
}

/// A server that runs.
pub(crate) struct Running {
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<sancho::Result<()>>,
}

/// What jobs report to, as their state.
pub(crate) type Report = mpsc::UnboundedSender<String>;

/// What they have reported.
pub(crate) struct Reports(mpsc::UnboundedReceiver<String>);

impl Flow {
    pub(crate) async fn on(kind: Kind) -> Self {
        Self::under(kind, Clock::starting_now()).await
    }

    pub(crate) async fn under(kind: Kind, clock: Clock) -> Self {
        let fixture = Fixture::with_clock(kind, clock.clone()).await;
        let client = sancho::testing::client(fixture.handle());
        Self {
            client,
            clock,
            fixture: Some(fixture),
        }
    }

    pub(crate) fn over(store: impl FnOnce(TestClock) -> Arc<dyn Store>) -> Self {
        let clock = Clock::starting_now();
        let client = sancho::testing::client(store(clock.source()));
        Self {
            client,
            clock,
            fixture: None,
        }
    }

    pub(crate) fn store(&self) -> &Arc<dyn Store> {
        self.client.store()
    }

    /// What may be seen and done in this store, by its clock.
    pub(crate) fn api(&self) -> Api {
        Api::new(&self.client).with_clock(self.clock.source())
    }

    /// A client over another handle to the same jobs, as another process would have it.
    pub(crate) async fn another_client(&self) -> Client {
        let fixture = self.fixture.as_ref().expect("the store is of a kind");
        sancho::testing::client(fixture.another_handle().await)
    }

    /// Where something reports to, and what it has reported.
    pub(crate) fn reports() -> (Report, Reports) {
        let (report, reports) = mpsc::unbounded_channel();
        (report, Reports(reports))
    }

    /// A server on this store and clock, with reports as state.
    pub(crate) fn server(&self) -> (ServerBuilder, Reports) {
        let (report, reports) = Self::reports();
        let builder = Server::builder()
            .client(&self.client)
            .with_clock(self.clock.source())
            .state(report);
        (builder, reports)
    }

    /// Lets time pass. A retry is due a second after its longest jitter.
    pub(crate) fn pass(&self, time: Duration) {
        self.clock.advance(time);
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) async fn timed(&self, set: TimedSet) -> Vec<Entry> {
        self.store()
            .page(&PlaceName::Timed(set), Order::Forward, 0, 1_000)
            .await
            .unwrap()
            .entries
    }

    pub(crate) async fn queue(&self, name: &str) -> Vec<String> {
        let page = self
            .store()
            .page(&PlaceName::Queue(name.into()), Order::Forward, 0, 1_000)
            .await
            .unwrap();
        page.entries
            .iter()
            .map(|entry| String::from_utf8_lossy(&entry.payload).into_owned())
            .collect()
    }

    pub(crate) async fn counters(&self) -> (u64, u64) {
        (
            self.store().counter(Stat::Processed, None).await.unwrap(),
            self.store().counter(Stat::Failed, None).await.unwrap(),
        )
    }

    /// Puts raw bytes at the tail of a queue, as any client might.
    pub(crate) async fn push_raw(&self, queue: &str, payload: &[u8]) {
        let place = Place::Queue {
            name: queue.into(),
            end: End::Tail,
        };
        self.put(payload, place).await;
    }

    /// Puts raw bytes into a place.
    pub(crate) async fn put(&self, payload: &[u8], place: Place) {
        let payload = Bytes::copy_from_slice(payload);
        self.apply(vec![Effect::Put(payload, place)]).await;
    }

    /// Lets effects happen.
    pub(crate) async fn apply(&self, effects: Vec<Effect>) {
        let batch = Batch {
            lane: Lane::random(),
            seq: 1,
            txs: vec![Tx::always(effects)],
        };
        let commit = self.store().commit(&batch).await.unwrap();
        assert_eq!(commit, Commit::Done(vec![TxResult::Applied]));
    }

    /// Wakes a promoter that sleeps until a time that the test clock has jumped over.
    pub(crate) async fn wake_promoter(&self) {
        let place = Place::Timed {
            set: TimedSet::Schedule,
            at: self.now().after(Duration::from_secs(1 << 30)),
        };
        self.put(b"{}", place).await;
    }

    /// Waits until what is asked holds.
    pub(crate) async fn until<F: Future<Output = bool>>(&self, what: &str, ask: impl Fn() -> F) {
        let asked = async {
            while !ask().await {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, asked)
            .await
            .unwrap_or_else(|_| panic!("it never came about that {what}"));
    }

    /// Waits until a timed set has so many entries.
    pub(crate) async fn until_timed(&self, set: TimedSet, count: usize) -> Vec<Entry> {
        self.until(&format!("{set:?} has {count} entries"), || async {
            self.timed(set).await.len() == count
        })
        .await;
        self.timed(set).await
    }
}

impl Running {
    pub(crate) fn start(builder: ServerBuilder) -> Self {
        Self::run(builder.build().unwrap())
    }

    pub(crate) fn run(server: Server) -> Self {
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(server.run_until(async { _ = stopped.await }));
        Self {
            stop: Some(stop),
            task,
        }
    }

    pub(crate) async fn stop(self) {
        self.begin_stop().ended().await;
    }

    pub(crate) fn begin_stop(mut self) -> Self {
        let _ = self.stop.take().unwrap().send(());
        self
    }

    /// Waits for a server that stops.
    pub(crate) async fn ended(self) {
        tokio::time::timeout(PATIENCE, self.task)
            .await
            .expect("the server did not stop")
            .unwrap()
            .unwrap();
    }

    /// As if the process had died: nothing is handed back. A task ends at its next await.
    pub(crate) async fn kill(self) {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
    }
}

impl Reports {
    pub(crate) async fn next(&mut self) -> String {
        tokio::time::timeout(PATIENCE, self.0.recv())
            .await
            .expect("no job reported")
            .expect("the server is gone")
    }

    pub(crate) async fn some(&mut self, count: usize) -> Vec<String> {
        let mut some = Vec::new();
        for _ in 0..count {
            some.push(self.next().await);
        }
        some
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn is_silent(&mut self) -> bool {
        self.0.try_recv().is_err()
    }
}

/// A field of a payload.
pub(crate) fn field(payload: &[u8], name: &str) -> serde_json::Value {
    serde_json::from_slice::<serde_json::Value>(payload).unwrap()[name].clone()
}

/// The fields of a payload in their order, each value as its JSON text.
pub(crate) fn fields(payload: &[u8]) -> Vec<(String, String)> {
    struct InOrder;

    impl<'de> Visitor<'de> for InOrder {
        type Value = Vec<(String, String)>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
            let mut fields = Vec::new();
            while let Some((key, value)) = map.next_entry::<String, &RawValue>()? {
                fields.push((key, value.get().to_owned()));
            }
            Ok(fields)
        }
    }

    let mut json = serde_json::Deserializer::from_slice(payload);
    json.deserialize_map(InOrder).unwrap()
}
