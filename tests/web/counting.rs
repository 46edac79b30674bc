//! A store that counts how often it is asked.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use sancho::job::Timestamp;
use sancho::store::{
    Answer, Batch, Census, Claim, ClaimRequest, Claimed, Commit, Defect, Due, Fields, Inspect,
    Interest, Key, Members, Order, Owner, OwnerInfo, Page, PlaceName, Registration, Renewed, Stat,
    Store, TimedSet,
};

#[derive(Debug)]
pub(crate) struct Counting {
    store: Arc<dyn Store>,
    asked: AtomicU64,
}

impl Counting {
    pub(crate) fn over(store: Arc<dyn Store>) -> Arc<Self> {
        let asked = AtomicU64::new(0);
        Arc::new(Self { store, asked })
    }

    /// How often it was asked since this was called last.
    pub(crate) fn take(&self) -> u64 {
        self.asked.swap(0, Ordering::SeqCst)
    }

    fn asked(&self) -> &Arc<dyn Store> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        &self.store
    }
}

impl Store for Counting {
    fn commit<'a>(&'a self, batch: &'a Batch) -> Answer<'a, Commit> {
        self.asked().commit(batch)
    }

    fn claim<'a>(&'a self, request: &'a ClaimRequest) -> Answer<'a, Claim> {
        self.asked().claim(request)
    }

    fn renew<'a>(
        &'a self,
        owner: &'a Owner,
        lease: Duration,
        registration: Registration,
    ) -> Answer<'a, Renewed> {
        self.asked().renew(owner, lease, registration)
    }

    fn take_over<'a>(
        &'a self,
        owner: &'a Owner,
        seq: u64,
        from: &'a Owner,
        limit: usize,
    ) -> Answer<'a, Claim> {
        self.asked().take_over(owner, seq, from, limit)
    }

    fn wait<'a>(&'a self, interest: &'a Interest, timeout: Duration) -> Answer<'a, ()> {
        self.asked().wait(interest, timeout)
    }

    fn repair<'a>(&'a self, defect: &'a Defect) -> Answer<'a, bool> {
        self.asked().repair(defect)
    }
}

impl Inspect for Counting {
    fn page<'a>(
        &'a self,
        place: &'a PlaceName,
        order: Order,
        cursor: u64,
        limit: usize,
    ) -> Answer<'a, Page> {
        self.asked().page(place, order, cursor, limit)
    }

    fn scan<'a>(
        &'a self,
        set: TimedSet,
        text: &'a str,
        cursor: u64,
        limit: usize,
    ) -> Answer<'a, Page> {
        self.asked().scan(set, text, cursor, limit)
    }

    fn due(&self, set: TimedSet, now: Timestamp, limit: usize) -> Answer<'_, Due> {
        self.asked().due(set, now, limit)
    }

    fn find<'a>(&'a self, set: TimedSet, payload: &'a [u8]) -> Answer<'a, Option<Timestamp>> {
        self.asked().find(set, payload)
    }

    fn at(&self, set: TimedSet, at: Timestamp, cursor: u64, limit: usize) -> Answer<'_, Page> {
        self.asked().at(set, at, cursor, limit)
    }

    fn census(&self) -> Answer<'_, Census> {
        self.asked().census()
    }

    fn counters<'a>(&'a self, which: &'a [(Stat, Option<&'a str>)]) -> Answer<'a, Vec<u64>> {
        self.asked().counters(which)
    }

    fn values<'a>(&'a self, keys: &'a [Key]) -> Answer<'a, Vec<Option<Bytes>>> {
        self.asked().values(keys)
    }

    fn fields<'a>(&'a self, keys: &'a [Key]) -> Answer<'a, Vec<Fields>> {
        self.asked().fields(keys)
    }

    fn list<'a>(&'a self, key: &'a Key) -> Answer<'a, Vec<Bytes>> {
        self.asked().list(key)
    }

    fn members(&self, set: Members) -> Answer<'_, Vec<String>> {
        self.asked().members(set)
    }

    fn owners(&self) -> Answer<'_, Vec<OwnerInfo>> {
        self.asked().owners()
    }

    fn claims<'a>(&'a self, owner: &'a Owner, limit: usize) -> Answer<'a, Vec<Claimed>> {
        self.asked().claims(owner, limit)
    }

    fn check(&self) -> Answer<'_, Vec<Defect>> {
        self.asked().check()
    }
}
