//! .
#![allow(missing_docs, reason = "stub")]
#[derive(Debug)]
pub struct SqliteStore;
#[derive(Debug, Default)]
pub struct SqliteOptions;
impl SqliteStore {
    pub fn open(
        _: &std::path::Path,
        _: SqliteOptions,
    ) -> Result<crate::store::memory::MemoryStore, std::io::Error> {
        Ok(crate::store::memory::MemoryStore::new())
    }
}
