//! .
#![allow(missing_docs, reason = "stub")]
#[derive(Debug)]
pub struct RedisStore;
#[derive(Debug)]
pub struct RedisOptions;
impl RedisOptions {
    pub fn new(_: &str) -> Self {
        Self
    }
}
impl RedisStore {
    pub async fn connect(
        _: RedisOptions,
    ) -> Result<crate::store::memory::MemoryStore, std::io::Error> {
        Err(std::io::Error::other("stub"))
    }
}
