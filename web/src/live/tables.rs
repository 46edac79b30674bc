//! Tables that stay current: each is looked at once for all who watch it, and no more than a few at a time, however many are watched.

use std::collections::BTreeMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};

use maud::Markup;
use sancho::api::{CronStatus, JobPage};
use sancho::store::Order;

use crate::app::{App, Asked};
use crate::links::query;
use crate::pages::{self, print_of, set};
use crate::params::Params;
use crate::problem::Problem;
use crate::snapshot::{Snapshot, in_time};

/// How many tables are looked at in one go; where more are watched, they take turns.
const AT_A_TIME: usize = 4;

/// The first rows of a place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Table {
    place: Of,
    rows: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Of {
    Cron,
    /// By the path of its page.
    Set(&'static str),
    Queue {
        name: String,
        backward: bool,
    },
}

/// What stands in a table.
#[derive(Debug)]
pub(crate) enum Rows {
    Cron(Vec<CronStatus>),
    Set(set::Found),
    Queue(JobPage),
}

/// Which tables are watched, and by how many.
#[derive(Debug, Default)]
pub(super) struct Tables(Mutex<Watched>);

#[derive(Debug, Default)]
struct Watched {
    counts: BTreeMap<Table, usize>,
    /// The one that was looked at last.
    last: Option<Table>,
}

impl Table {
    pub(crate) fn of_cron(rows: usize) -> Self {
        Self {
            place: Of::Cron,
            rows,
        }
    }

    pub(crate) fn of_set(kind: set::Kind, rows: usize) -> Self {
        Self {
            place: Of::Set(kind.path),
            rows,
        }
    }

    pub(crate) fn of_queue(name: &str, backward: bool, rows: usize) -> Self {
        Self {
            place: Of::Queue {
                name: name.to_owned(),
                backward,
            },
            rows,
        }
    }

    /// The one that a browser asks for.
    pub(super) fn named(params: &Params) -> Option<Self> {
        let rows = params.rows();
        match params.get("in") {
            "cron" => Some(Self::of_cron(rows)),
            "queue" => {
                let name = Some(params.get("name")).filter(|name| !name.is_empty())?;
                Some(Self::of_queue(name, params.get("order") == "last", rows))
            }
            path => set::Kind::named(path).map(|kind| Self::of_set(kind, rows)),
        }
    }

    /// What a page says so that its browser asks for this one.
    pub(crate) fn view(&self) -> String {
        let rows = self.rows.to_string();
        let (place, name, order) = match &self.place {
            Of::Cron => ("cron", "", ""),
            Of::Set(path) => (*path, "", ""),
            Of::Queue { name, backward } => ("queue", &**name, if *backward { "last" } else { "" }),
        };
        let values = [
            ("in", place),
            ("name", name),
            ("order", order),
            ("rows", &*rows),
        ];
        format!("table{}", query(&values).replacen('?', "&", 1))
    }

    async fn look(&self, app: &App) -> Result<Rows, Problem> {
        Ok(match &self.place {
            Of::Cron => Rows::Cron(in_time(app.api.cron().list()).await?),
            Of::Set(path) => Rows::Set(set::first(app, path, self.rows).await?),
            Of::Queue { name, backward } => {
                let order = if *backward {
                    Order::Backward
                } else {
                    Order::Forward
                };
                Rows::Queue(in_time(app.api.queue(name)?.page(order, 0, self.rows)).await?)
            }
        })
    }

    /// The table as this browser is to see it.
    pub(super) fn show(&self, rows: &Rows, asked: &Asked, snapshot: &Snapshot) -> Markup {
        match (&self.place, rows) {
            (Of::Set(path), Rows::Set(found)) => {
                set::shown(path, asked, found, self.rows, snapshot)
            }
            (Of::Queue { name, backward }, Rows::Queue(page)) => {
                pages::queue::current(asked, snapshot, name, *backward, 0, self.rows, page)
            }
            (_, Rows::Cron(entries)) => pages::cron::current(asked, entries, 0, self.rows),
            _ => Markup::default(),
        }
    }

    /// What tells whether there is something new to show.
    pub(super) fn print(&self, rows: &Rows, snapshot: &Snapshot) -> u64 {
        let mut hasher = DefaultHasher::new();
        match (&self.place, rows) {
            (Of::Set(path), Rows::Set(found)) => {
                set::Kind::named(path)
                    .map(|kind| kind.size(snapshot))
                    .hash(&mut hasher);
                for entry in &found.entries {
                    (entry.at(), print_of(entry.payload())).hash(&mut hasher);
                }
            }
            (Of::Queue { name, .. }, Rows::Queue(page)) => {
                let queues = snapshot.overview.queues.iter();
                queues
                    .filter(|queue| queue.name == *name)
                    .for_each(|queue| queue.size.hash(&mut hasher));
                page.jobs
                    .iter()
                    .for_each(|job| print_of(job.payload()).hash(&mut hasher));
            }
            (_, rows) => format!("{rows:?}").hash(&mut hasher),
        }
        hasher.finish()
    }
}

impl Tables {
    pub(super) fn watch(&self, table: &Table) {
        *self.lock().counts.entry(table.clone()).or_default() += 1;
    }

    pub(super) fn leave(&self, table: &Table) {
        let mut watched = self.lock();
        if let Some(count) = watched.counts.get_mut(table) {
            *count -= 1;
            if *count == 0 {
                watched.counts.remove(table);
            }
        }
    }

    /// What stands in those whose turn it is.
    pub(super) async fn look(&self, app: &App) -> Result<Vec<(Table, Rows)>, Problem> {
        let mut looked = Vec::new();
        for table in self.turn() {
            let rows = table.look(app).await?;
            looked.push((table, rows));
        }
        Ok(looked)
    }

    fn turn(&self) -> Vec<Table> {
        let mut watched = self.lock();
        let (before, after): (Vec<_>, Vec<_>) = watched
            .counts
            .keys()
            .cloned()
            .partition(|table| watched.last.as_ref().is_some_and(|last| table <= last));
        let turn: Vec<_> = after.into_iter().chain(before).take(AT_A_TIME).collect();
        watched.last = turn.last().cloned();
        turn
    }

    fn lock(&self) -> MutexGuard<'_, Watched> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_take_turns() {
        let tables = Tables::default();
        let table = |n: usize| Table::of_queue(&format!("q{n}"), false, 25);
        for n in 0..6 {
            tables.watch(&table(n));
            tables.watch(&table(n));
        }
        let all = |of: &[usize]| of.iter().map(|n| table(*n)).collect::<Vec<_>>();
        assert_eq!(tables.turn(), all(&[0, 1, 2, 3]));
        assert_eq!(tables.turn(), all(&[4, 5, 0, 1]));
        tables.leave(&table(2));
        assert_eq!(tables.turn(), all(&[2, 3, 4, 5]));
        for n in 0..6 {
            tables.leave(&table(n));
        }
        assert_eq!(tables.turn(), all(&[0, 1, 3, 4]));
        assert_eq!(tables.0.lock().unwrap().counts.len(), 5);
    }

    #[test]
    fn a_page_names_its_table() {
        assert_eq!(Table::of_cron(25).view(), "table&in=cron&rows=25");
        assert_eq!(
            Table::of_queue("a&b", true, 50).view(),
            "table&in=queue&name=a%26b&order=last&rows=50"
        );
    }
}
