//! What the screen shows.

use std::collections::VecDeque;
use std::time::Instant;

use sancho::api::{Api, Process, QueueSummary, SortedEntry, Stats, Work};
use sancho::job::Timestamp;
use sancho::store::{Order, TimedSet};

use super::Wish;
use super::act::Deed;
use crate::error::Result;

/// How many rates are kept: one a refresh.
const RATES: usize = 240;

/// How many entries of a set are shown.
const ROWS: usize = 200;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Tab {
    #[default]
    Queues,
    Busy,
    Processes,
    Retries,
    Dead,
}

impl Tab {
    pub(super) const ALL: [Self; 5] = [
        Self::Queues,
        Self::Busy,
        Self::Processes,
        Self::Retries,
        Self::Dead,
    ];

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Queues => "Queues",
            Self::Busy => "Busy",
            Self::Processes => "Processes",
            Self::Retries => "Retries",
            Self::Dead => "Dead",
        }
    }

    pub(super) fn index(self) -> usize {
        Self::ALL
            .iter()
            .position(|tab| *tab == self)
            .unwrap_or_default()
    }

    fn moved(self, by: usize) -> Self {
        Self::ALL[(self.index() + by) % Self::ALL.len()]
    }
}

/// A row of the table.
#[derive(Clone, Debug)]
pub(super) enum Row {
    Queue(QueueSummary),
    Work(Box<Work>),
    Process(Box<Process>),
    Timed(SortedEntry),
}

impl Row {
    pub(super) fn name(&self) -> String {
        match self {
            Self::Queue(queue) => format!("the queue {}", queue.name),
            Self::Work(work) => work.job.jid().to_string(),
            Self::Process(process) => process.identity.clone(),
            Self::Timed(entry) => format!("{} {}", entry.display_class(), entry.jid()),
        }
    }

    /// What stays the same between two looks.
    fn key(&self) -> String {
        match self {
            Self::Queue(queue) => queue.name.clone(),
            Self::Work(work) => format!("{} {}", work.process, work.thread),
            Self::Process(process) => process.identity.clone(),
            Self::Timed(entry) => entry.id(),
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) tab: Tab,
    pub(super) stats: Stats,
    /// Of the open tab.
    pub(super) rows: Vec<Row>,
    /// Queues that processes take from.
    pub(super) served: Vec<String>,
    pub(super) selected: usize,
    /// Executions a second, the latest last.
    pub(super) processed: VecDeque<u64>,
    pub(super) failed: VecDeque<u64>,
    pub(super) now: Timestamp,
    pub(super) help: bool,
    /// What came of the last deed, or what is wrong.
    pub(super) message: String,
    /// What is done after a yes.
    pub(super) planned: Option<(Deed, Row)>,
    last: Option<(Instant, u64, u64)>,
    /// The tab that the rows are of.
    rows_of: Tab,
}

impl State {
    pub(super) async fn refresh(&mut self, api: &Api) -> Result<()> {
        let stats = api.stats().await?;
        let rows = match self.tab {
            Tab::Queues => {
                let processes = api
                    .processes()
                    .await?
                    .into_iter()
                    .filter(|process| !process.quiet);
                self.served = processes.flat_map(|process| process.queues).collect();
                api.queues().await?.into_iter().map(Row::Queue).collect()
            }
            Tab::Busy => api
                .work()
                .await?
                .into_iter()
                .map(|work| Row::Work(Box::new(work)))
                .collect(),
            Tab::Processes => api
                .processes()
                .await?
                .into_iter()
                .map(|process| Row::Process(Box::new(process)))
                .collect(),
            Tab::Retries => timed(api, TimedSet::Retry, Order::Forward).await?,
            Tab::Dead => timed(api, TimedSet::Dead, Order::Backward).await?,
        };
        self.now = api.now();
        self.show(rows);
        self.count(&stats);
        self.stats = stats;
        Ok(())
    }

    /// Refreshes, or says on the screen what is wrong; the next refresh heals it.
    pub(super) async fn try_refresh(&mut self, api: &Api) {
        match self.refresh(api).await {
            Ok(()) if self.message.starts_with(AWAY) => self.message.clear(),
            Ok(()) => {}
            Err(error) => self.message = format!("{AWAY}{error}"),
        }
    }

    /// Takes new rows; what was chosen stays chosen while it is there.
    pub(super) fn show(&mut self, rows: Vec<Row>) {
        let chosen = self
            .chosen()
            .map(Row::key)
            .filter(|_| self.rows_of == self.tab);
        let found = chosen.and_then(|key| rows.iter().position(|row| row.key() == key));
        self.selected = found
            .unwrap_or(self.selected)
            .min(rows.len().saturating_sub(1));
        self.rows = rows;
        self.rows_of = self.tab;
    }

    fn count(&mut self, stats: &Stats) {
        let now = Instant::now();
        if let Some((then, processed, failed)) = self.last {
            let millis = u64::try_from(now.duration_since(then).as_millis())
                .unwrap_or(u64::MAX)
                .max(1);
            let rate =
                |more: u64, before: u64| more.saturating_sub(before).saturating_mul(1_000) / millis;
            push(&mut self.processed, rate(stats.processed, processed));
            push(&mut self.failed, rate(stats.failed, failed));
        }
        self.last = Some((now, stats.processed, stats.failed));
    }

    pub(super) fn chosen(&self) -> Option<&Row> {
        self.rows.get(self.selected)
    }

    pub(super) fn asks(&self) -> bool {
        self.planned.is_some()
    }

    /// Asks whether it is to be done.
    pub(super) fn plan(&mut self, deed: Deed) {
        let Some(row) = self.chosen().cloned() else {
            return;
        };
        match deed.plan(&row) {
            Some(plan) => {
                self.message = format!("{plan} [y/N]");
                self.planned = Some((deed, row));
            }
            None => self.message = "that key does nothing here: ? shows those that do".to_owned(),
        }
    }

    pub(super) fn obey(&mut self, wish: Wish) {
        let last = self.rows.len().saturating_sub(1);
        match wish {
            Wish::Show(tab) => self.open(tab),
            Wish::NextTab => self.open(self.tab.moved(1)),
            Wish::PreviousTab => self.open(self.tab.moved(Tab::ALL.len() - 1)),
            Wish::Down => self.selected = (self.selected + 1).min(last),
            Wish::Up => self.selected = self.selected.saturating_sub(1),
            Wish::Top => self.selected = 0,
            Wish::Bottom => self.selected = last,
            Wish::Help => self.help = !self.help,
            Wish::No => {
                self.planned = None;
                self.message = "nothing was done".to_owned();
            }
            Wish::Quit | Wish::Refresh | Wish::Do(_) | Wish::Yes => {}
        }
    }

    fn open(&mut self, tab: Tab) {
        if self.tab != tab {
            self.tab = tab;
            self.rows.clear();
            self.selected = 0;
        }
    }
}

/// What a message begins with while the store gives no answer.
const AWAY: &str = "the store: ";

async fn timed(api: &Api, set: TimedSet, order: Order) -> Result<Vec<Row>> {
    let page = api.set(set).page(order, 0, ROWS).await?;
    Ok(page.entries.into_iter().map(Row::Timed).collect())
}

fn push(rates: &mut VecDeque<u64>, rate: u64) {
    if rates.len() == RATES {
        rates.pop_front();
    }
    rates.push_back(rate);
}
