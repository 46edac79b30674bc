//! Which queues are served, and how it is chosen between them.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use crate::store::Source;
use crate::{Error, Result};

/// The greatest weight of a queue.
pub(crate) const MAX_WEIGHT: u32 = 1_000_000;

/// A queue to serve, with its weight: `"critical"`, or `("critical", 3)`. Without a weight it is 0, which is Sidekiq's word for
/// strict order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServedQueue {
    name: Arc<str>,
    weight: u32,
}

impl ServedQueue {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its weight; 0 where none was given.
    #[must_use]
    pub fn weight(&self) -> u32 {
        self.weight
    }
}

impl From<&str> for ServedQueue {
    fn from(name: &str) -> Self {
        (name, 0).into()
    }
}

impl From<String> for ServedQueue {
    fn from(name: String) -> Self {
        (name, 0).into()
    }
}

impl From<&String> for ServedQueue {
    fn from(name: &String) -> Self {
        name.as_str().into()
    }
}

impl<T: Into<Arc<str>>> From<(T, u32)> for ServedQueue {
    fn from((name, weight): (T, u32)) -> Self {
        Self {
            name: name.into(),
            weight,
        }
    }
}

/// How it is chosen between queues, as Sidekiq decides it from their weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Every weight is 0: a queue is taken from only while those before it are empty.
    Strict,
    /// Every weight is 1: whichever comes first by chance, all alike.
    Random,
    /// By chance, a queue of weight 3 three times as often as one of weight 1.
    Weighted,
}

/// Its name in what Sidekiq shows of a process.
impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Strict => "strict",
            Self::Random => "random",
            Self::Weighted => "weighted",
        })
    }
}

/// Queues, each once, and how it is chosen between them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Queues {
    mode: Mode,
    list: Vec<Listed>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Listed {
    queue: ServedQueue,
    /// How often it stands in Sidekiq's list: its weight, at least once, for each time that it is named.
    times: u32,
}

impl Queues {
    /// # Errors
    /// No queue; an empty name; a weight above [`MAX_WEIGHT`].
    pub(super) fn new(named: impl IntoIterator<Item = ServedQueue>) -> Result<Self> {
        let mut list: Vec<Listed> = Vec::new();
        for queue in named {
            if queue.name.is_empty() {
                return Err(Error::config("a queue's name is empty"));
            }
            if queue.weight > MAX_WEIGHT {
                return Err(Error::config(format!(
                    "the weight of the queue {:?} is {}: give a number from 0 to {MAX_WEIGHT}",
                    queue.name, queue.weight
                )));
            }
            let times = queue.weight.max(1);
            match list.iter_mut().find(|known| known.queue.name == queue.name) {
                Some(known) => {
                    known.queue.weight = queue.weight;
                    known.times = known.times.saturating_add(times);
                }
                None => list.push(Listed { queue, times }),
            }
        }
        let all = |weight| list.iter().all(|listed| listed.queue.weight == weight);
        let mode = match () {
            () if list.is_empty() => {
                return Err(Error::config("there is no queue to serve: name one"));
            }
            () if all(0) => Mode::Strict,
            () if all(1) => Mode::Random,
            () => Mode::Weighted,
        };
        Ok(Self { mode, list })
    }

    pub(super) fn mode(&self) -> Mode {
        self.mode
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &ServedQueue> {
        self.list.iter().map(|listed| &listed.queue)
    }
}

impl Default for Queues {
    fn default() -> Self {
        let queue = "default".into();
        Self {
            mode: Mode::Strict,
            list: vec![Listed { queue, times: 1 }],
        }
    }
}

/// Chooses the sources of one claim after another.
///
/// Sidekiq draws once for each job: the queue that is asked first has a chance of its weight, and where it is empty the next one of a
/// shuffled list follows. A claim is for many jobs, so each queue has a share of it: of full queues each gives just what its
/// weight says over time, what is left over by rounding being carried into the next claim. What a queue does not have is given
/// by the others, in the order of such a shuffled list.
#[derive(Debug)]
pub(super) struct Draw {
    mode: Mode,
    list: Vec<Drawn>,
    total: i64,
}

#[derive(Debug)]
struct Drawn {
    name: Arc<str>,
    times: i64,
    /// What it was left behind by rounding, in parts of `total`.
    credit: i64,
}

impl Draw {
    /// Between those of the queues that are not paused.
    pub(super) fn new(queues: &Queues, paused: &BTreeSet<Arc<str>>) -> Self {
        let open = queues
            .list
            .iter()
            .filter(|listed| !paused.contains(&listed.queue.name));
        let mut list: Vec<_> = open
            .map(|listed| Drawn {
                name: listed.queue.name.clone(),
                times: listed.times.into(),
                credit: 0,
            })
            .collect();
        let total = list.iter().map(|drawn| drawn.times).sum();
        // Processes that start together do not begin with the same queue.
        if let [first, .., last] = list.as_mut_slice() {
            let start = fastrand::i64(0..total);
            (first.credit, last.credit) = (start, -start);
        }
        Self {
            mode: queues.mode,
            list,
            total,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The sources of a claim of up to `limit` jobs.
    pub(super) fn sources(&mut self, limit: usize) -> Vec<Source> {
        let source = |drawn: &Drawn, share| Source {
            queue: drawn.name.clone(),
            share,
        };
        if self.mode == Mode::Strict {
            return self.list.iter().map(|drawn| source(drawn, 0)).collect();
        }
        let shares = self.shares(limit);
        let mut sources: Vec<_> = self
            .list
            .iter()
            .zip(shares)
            .map(|(drawn, share)| (rank(drawn.times), source(drawn, share)))
            .collect();
        sources.sort_by(|(a, _), (b, _)| a.total_cmp(b));
        sources.into_iter().map(|(_, source)| source).collect()
    }

    /// How many each queue is to give. They add up to `limit`.
    fn shares(&mut self, limit: usize) -> Vec<usize> {
        let mut left = i64::try_from(limit).unwrap_or(i64::MAX);
        for drawn in &mut self.list {
            drawn.credit += left * drawn.times;
        }
        let mut shares = vec![0; self.list.len()];
        let mut give = |list: &mut [Drawn], i: usize, share: i64| {
            list[i].credit -= share * self.total;
            shares[i] += usize::try_from(share).unwrap_or(0);
        };
        for i in 0..self.list.len() {
            let share = (self.list[i].credit / self.total).clamp(0, left);
            give(&mut self.list, i, share);
            left -= share;
        }
        while left > 0 {
            let most = (0..self.list.len()).max_by_key(|&i| self.list[i].credit);
            give(&mut self.list, most.unwrap_or(0), 1);
            left -= 1;
        }
        shares
    }
}

/// The place of a queue in the shuffled list, by chance: sorted by it, each next one is drawn with the chance of its weight among those
/// that are left.
fn rank(times: i64) -> f64 {
    -(1.0 - fastrand::f64()).ln() / times as f64
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn weights(queues: &Queues) -> BTreeMap<&str, u32> {
        queues
            .iter()
            .map(|queue| (queue.name(), queue.weight()))
            .collect()
    }

    fn queues(named: &[(&str, u32)]) -> Queues {
        Queues::new(named.iter().map(|&queue| queue.into())).unwrap()
    }

    fn mode(named: &[(&str, u32)]) -> Mode {
        queues(named).mode()
    }

    #[test]
    fn the_mode_follows_from_the_weights_as_in_sidekiq() {
        assert_eq!(mode(&[("a", 0), ("b", 0)]), Mode::Strict);
        assert_eq!(mode(&[("a", 1), ("b", 1)]), Mode::Random);
        assert_eq!(mode(&[("a", 1)]), Mode::Random);
        assert_eq!(mode(&[("a", 2), ("b", 1)]), Mode::Weighted);
        assert_eq!(mode(&[("a", 0), ("b", 1)]), Mode::Weighted);
        assert_eq!(mode(&[("a", 2), ("a", 0), ("b", 0)]), Mode::Strict);
    }

    #[test]
    fn a_queue_that_is_named_twice_stands_once_and_counts_twice() {
        let twice = queues(&[("a", 2), ("b", 2), ("a", 3)]);
        assert_eq!(weights(&twice), BTreeMap::from([("a", 3), ("b", 2)]));
        assert_eq!(twice.list[0].times, 5);
    }

    #[test]
    fn strict_order_is_the_order_given_and_has_no_shares() {
        let mut draw = Draw::new(&queues(&[("b", 0), ("a", 0)]), &BTreeSet::new());
        let sources = draw.sources(7);
        let names: Vec<_> = sources.iter().map(|source| &*source.queue).collect();
        assert_eq!(names, ["b", "a"]);
        assert!(sources.iter().all(|source| source.share == 0));
    }

    #[test]
    fn shares_add_up_and_are_exact_over_time_whatever_the_limits() {
        let mut draw = Draw::new(&queues(&[("a", 3), ("b", 2), ("c", 1)]), &BTreeSet::new());
        let mut given = BTreeMap::<Arc<str>, usize>::new();
        let mut asked = 0;
        for round in 0..6_000 {
            let limit = round % 5 + 1;
            let sources = draw.sources(limit);
            assert_eq!(
                sources.iter().map(|source| source.share).sum::<usize>(),
                limit
            );
            asked += limit;
            for source in sources {
                *given.entry(source.queue).or_default() += source.share;
            }
        }
        for (name, weight) in [("a", 3), ("b", 2), ("c", 1)] {
            let exact = asked * weight / 6;
            assert!(given[name].abs_diff(exact) <= 2, "{name}: {given:?}");
        }
    }

    #[test]
    fn what_comes_first_by_chance_has_the_chance_of_its_weight() {
        let mut draw = Draw::new(&queues(&[("a", 3), ("b", 1)]), &BTreeSet::new());
        let first = (0..10_000)
            .filter(|_| &*draw.sources(1)[0].queue == "a")
            .count();
        // Ten standard deviations.
        assert!(first.abs_diff(7_500) < 433, "{first}");
    }

    #[test]
    fn a_paused_queue_is_left_out() {
        let all = queues(&[("a", 2), ("b", 1)]);
        let paused = BTreeSet::from(["a".into()]);
        let sources = Draw::new(&all, &paused).sources(4);
        assert_eq!((&*sources[0].queue, sources[0].share), ("b", 4));
        assert!(Draw::new(&queues(&[("a", 0)]), &paused).is_empty());
    }

    #[test]
    fn lists_that_cannot_be_served_are_refused() {
        for (named, part) in [
            (&[][..], "no queue"),
            (&[("", 1)], "empty"),
            (&[("a", MAX_WEIGHT + 1)], "\"a\" is 1000001"),
        ] {
            let error = Queues::new(named.iter().map(|&queue| queue.into())).unwrap_err();
            assert!(error.to_string().contains(part), "{error}");
        }
    }
}
