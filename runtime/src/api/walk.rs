//! Going through a whole place, page by page, while others change it.

use std::collections::VecDeque;

use bytes::Bytes;

use super::{Api, ApiError};
use crate::store::{Entry, Order, PlaceName};

/// How many entries are read at once.
const PAGE: usize = 100;

/// A walk through a place.
///
/// Places move under it: entries are taken away and added, and all that stand behind them get other positions. So each page
/// begins with the entries of the last one, and the walk goes on behind the last of them that is still there.
#[derive(Debug)]
pub(super) struct Walk {
    api: Api,
    place: PlaceName,
    order: Order,
    /// How many entries stand before the next one, as far as is known.
    position: u64,
    /// The payloads that were read last, in order.
    last: Vec<Bytes>,
    read: VecDeque<Entry>,
    done: bool,
}

impl Walk {
    pub(super) fn new(api: &Api, place: PlaceName, order: Order) -> Self {
        Self {
            api: api.clone(),
            place,
            order,
            position: 0,
            last: Vec::new(),
            read: VecDeque::new(),
            done: false,
        }
    }

    pub(super) async fn next(&mut self) -> Result<Option<Entry>, ApiError> {
        loop {
            if let Some(entry) = self.read.pop_front() {
                return Ok(Some(entry));
            }
            if self.done {
                return Ok(None);
            }
            self.read_on().await?;
        }
    }

    async fn read_on(&mut self) -> Result<(), ApiError> {
        let from = self.position.saturating_sub(self.last.len() as u64);
        let limit = self.last.len() + PAGE;
        let page = self.api.page(&self.place, self.order, from, limit).await?;
        let resume = resume(&self.last, &page.entries);
        self.position = from + page.entries.len() as u64;
        self.done = page.next.is_none();
        self.read.extend(page.entries.into_iter().skip(resume));
        if !self.read.is_empty() {
            let payloads = self.read.iter().rev().take(PAGE).rev();
            self.last = payloads.map(|entry| entry.payload.clone()).collect();
        }
        Ok(())
    }
}

/// Where to go on in these entries, which begin where the last ones stood when they were read.
pub(super) fn resume(last: &[Bytes], entries: &[Entry]) -> usize {
    let is = |index: usize, payload: &Bytes| {
        entries
            .get(index)
            .is_some_and(|entry| entry.payload == *payload)
    };
    // Mostly nothing has moved; and where equal payloads wait, this is the one that was read.
    if let Some(newest) = last.last()
        && is(last.len() - 1, newest)
    {
        return last.len();
    }
    last.iter()
        .rev()
        .find_map(|payload| entries.iter().position(|entry| entry.payload == *payload))
        .map_or(0, |index| index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resumes(last: &[&'static str], entries: &[&'static str]) -> usize {
        let last: Vec<_> = last.iter().map(|text| Bytes::from(*text)).collect();
        let entry = |text: &&'static str| Entry {
            payload: Bytes::from(*text),
            at: None,
        };
        resume(&last, &entries.iter().map(entry).collect::<Vec<_>>())
    }

    #[test]
    fn it_goes_on_behind_the_last_that_is_still_there() {
        assert_eq!(resumes(&[], &["a", "b"]), 0);
        assert_eq!(resumes(&["a", "b"], &["a", "b", "c"]), 2);
        assert_eq!(resumes(&["a", "b"], &["b", "c", "d"]), 1);
        assert_eq!(resumes(&["a", "b"], &["a", "c", "d"]), 1);
        assert_eq!(resumes(&["a", "b"], &["c", "d"]), 0);
        assert_eq!(resumes(&["a", "b"], &["x", "a", "b", "c"]), 3);
        assert_eq!(resumes(&["a", "a"], &["a", "a", "a"]), 2);
    }
}
