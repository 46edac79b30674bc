//! Looking for jobs in every place.

mod results;

use std::time::Duration;

use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};
use sancho::api::search::{Found, Query, SearchCursor, SearchLimits, State};
use sancho::api::{JobRecord, Period};

use crate::app::{App, Asked};
use crate::format::cut;
use crate::language::{Text, Words};
use crate::links::query;
use crate::page::{Page, Place, completion, empty, head};
use crate::params::Params;
use crate::problem::Problem;
use crate::snapshot::{Snapshot, Snapshots, in_time};

use super::{masked, notice};

/// How long a page looks.
const BUDGET: Duration = Duration::from_millis(110);

/// The longest query, in characters.
const LONGEST: usize = 1_000;

/// The most words of a query: each term is looked for in each job.
const MOST_WORDS: usize = 32;

/// How many classes are offered for completion.
const CLASSES: usize = 60;

/// What can be written, and what it finds.
const TERMS: [(&str, Means); 10] = [
    ("class:Welcome", |w| &w.term_class),
    ("queue:mailers", |w| &w.term_queue),
    ("state:retry", |w| &w.term_state),
    ("args:42", |w| &w.term_args),
    ("tag:vip", |w| &w.term_tag),
    ("error:timeout", |w| &w.term_error),
    ("jid:d3ab86…", |w| &w.term_jid),
    ("since:1h", |w| &w.term_since),
    ("\"read timed out\"", |w| &w.term_text),
    ("-class:Noisy", |w| &w.term_minus),
];

type Means = fn(&Words) -> &Text;

/// What is looked for, and where it is gone on with.
pub(crate) struct Search {
    query: Query,
    from: Option<SearchCursor>,
}

impl Search {
    /// # Errors
    /// Why this cannot be looked for.
    pub(crate) fn read(params: &Params) -> Result<Self, String> {
        let text = params.get("q");
        if text.chars().count() > LONGEST || text.split_whitespace().count() > MOST_WORDS {
            return Err(format!(
                "A query has {LONGEST} characters and {MOST_WORDS} words at most."
            ));
        }
        let from = match params.get("from") {
            "" => None,
            from => Some(
                from.parse()
                    .map_err(|error: sancho::api::ApiError| error.to_string())?,
            ),
        };
        let query: Query = text
            .parse()
            .map_err(|error: sancho::api::ApiError| error.to_string())?;
        Ok(Self { query, from })
    }

    /// Looks for so many jobs, as long as there is time for it.
    pub(crate) async fn run(&self, app: &App, rows: usize) -> Result<Found, Problem> {
        let limits = SearchLimits {
            hits: rows,
            time: BUDGET,
            ..SearchLimits::default()
        };
        let from = self.from.as_ref();
        if app.options.masked.is_empty() {
            return in_time(app.api.search(&self.query, from, limits)).await;
        }
        // What is masked is not found either.
        let shown = |job: &JobRecord| JobRecord::read(masked::payload(app, job));
        in_time(app.api.search_shown(&self.query, from, limits, &shown)).await
    }

    /// How many jobs stand where the query looks.
    pub(crate) fn total(&self, snapshot: &Snapshot) -> u64 {
        let overview = &snapshot.overview;
        let states = State::ALL
            .into_iter()
            .filter(|state| self.query.allows_state(*state));
        let sizes = states.map(|state| match state {
            State::Running => overview.stats.busy,
            State::Retry => overview.stats.retries,
            State::Dead => overview.stats.dead,
            State::Scheduled => overview.stats.scheduled,
            State::Queued => {
                let queues = overview.queues.iter();
                let allowed = queues.filter(|queue| self.query.allows_queue(&queue.name));
                allowed.map(|queue| queue.size).sum()
            }
        });
        sizes.sum()
    }
}

pub(crate) async fn show(asked: Asked, params: Params) -> Result<Response, Problem> {
    let w = asked.words;
    let text = params.get("q").trim();
    if is_jid(text) {
        let to = format!("{}{}", asked.to("find"), query(&[("jid", text)]));
        return Ok((StatusCode::SEE_OTHER, [(LOCATION, to)]).into_response());
    }
    let snapshot = Snapshots::get(&asked.app).await?;
    let classes = classes(&asked.app).await;
    let page = Page {
        asked: &asked,
        snapshot: &snapshot,
        place: Place::None,
        title: &w.search,
        live: None,
    };
    let form = Form {
        asked: &asked,
        snapshot: &snapshot,
        classes: &classes,
        text,
    };
    let with = |form: Markup, body: Markup| {
        page.with(&html! {
            (notice(w, &params))
            (head(&w.search, &html! { (w.search_about) }, &html! {}))
            (form)
            (body)
        })
    };
    if text.is_empty() {
        return Ok(with(form.show(true, None), html! {}));
    }
    let search = match Search::read(&params) {
        Ok(search) => search,
        Err(why) => {
            let mut response = with(form.show(true, Some(&why)), html! {});
            *response.status_mut() = StatusCode::BAD_REQUEST;
            return Ok(response);
        }
    };
    let rows = params.rows();
    let found = search.run(&asked.app, rows).await?;
    let seen = params.number("seen").unwrap_or(0);
    let looked_at = seen.saturating_add(found.looked_at);
    let progress = Progress {
        asked: &asked,
        text,
        rows: params.get("rows"),
        found: found.hits.len() as u64,
        looked_at,
        total: search.total(&snapshot),
        next: found.next.as_ref().map(SearchCursor::to_string),
    };
    let has_more = found.next.is_some();
    let is_empty = found.hits.is_empty();
    Ok(with(
        form.show(false, None),
        html! {
            (progress.show())
            @if is_empty { section.panel { (nothing(w, has_more)) } }
            (results::show(&asked, text, found.hits))
            @if !is_empty && has_more { (progress.go_on()) }
        },
    ))
}

/// Whether this is the id of a job, which is found at once.
fn is_jid(text: &str) -> bool {
    text.len() == 24 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The classes that ran of late. The page does without them where the store does not give them.
async fn classes(app: &App) -> Vec<String> {
    let metrics = in_time(app.api.top_jobs(Period::Minutes(60), None)).await;
    let classes = metrics.map(|metrics| metrics.classes).unwrap_or_default();
    let names = classes.into_iter().map(|metrics| metrics.class);
    names.take(CLASSES).collect()
}

/// The box, and what can be written into it.
struct Form<'a> {
    asked: &'a Asked,
    snapshot: &'a Snapshot,
    classes: &'a [String],
    text: &'a str,
}

impl Form<'_> {
    fn show(&self, explained: bool, error: Option<&str>) -> Markup {
        let w = self.asked.words;
        html! {
            section.panel.search {
                form role="search" aria-label=(w.search) action=(self.asked.to("search")) {
                    label.hidden for="q" { (w.search_what) }
                    input #q type="search" name="q" value=(self.text) list="terms-here" autocomplete="off" spellcheck="false" autocapitalize="off"
                        maxlength=(LONGEST) placeholder="class:WelcomeEmail state:retry error:timeout since:1h" aria-invalid=[error.map(|_| "true")] data-terms;
                    button type="submit" { (w.search) }
                    (completion("terms-here", Some(self.snapshot), self.classes))
                }
                @if let Some(error) = error { p.notice.bad role="alert" { (w.not_looked_for.with(&[("why", &cut(error, 400))])) } }
                details open[explained] {
                    summary { (w.what_can_be_written) }
                    dl.terms {
                        @for (term, means) in TERMS { dt { code { (term) } } dd { (means(w)) } }
                    }
                }
            }
        }
    }
}

/// How much was looked at, and the way to the rest.
struct Progress<'a> {
    asked: &'a Asked,
    text: &'a str,
    rows: &'a str,
    found: u64,
    looked_at: u64,
    total: u64,
    next: Option<String>,
}

impl Progress<'_> {
    fn show(&self) -> Markup {
        let w = self.asked.words;
        // Places move while they are looked through.
        let total = self.total.max(self.looked_at);
        html! {
            p.looked role="status" {
                (w.found.with(&[("jobs", &html! { strong { (w.jobs.of(w, self.found)) } })])) " "
                @if self.next.is_some() {
                    (w.looked_at_about.with(&[("n", &w.number(self.looked_at)), ("total", &w.number(total))])) " "
                    (self.go_on_link())
                } @else {
                    (w.looked_at_all.with(&[("n", &w.number(self.looked_at))]))
                }
            }
        }
    }

    fn go_on(&self) -> Markup {
        html! { p.looked { (self.go_on_link()) } }
    }

    fn go_on_link(&self) -> Markup {
        let next = self.next.as_deref().unwrap_or_default();
        let seen = self.looked_at.to_string();
        let values = [
            ("q", self.text),
            ("rows", self.rows),
            ("from", next),
            ("seen", &seen),
        ];
        html! { a href={ (self.asked.to("search")) (query(&values)) } rel="next" { (self.asked.words.go_on) } }
    }
}

fn nothing(w: &'static Words, more: bool) -> Markup {
    if more {
        empty(&w.nothing_found_yet, &w.search_goes_on)
    } else {
        empty(&w.nothing_found, &w.search_ended)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::Language;

    #[test]
    fn an_id_is_told_from_a_text() {
        assert!(is_jid("d3ab86bad86a8fc45845636e"));
        for text in ["", "d3ab", "WelcomeEmail", "d3ab86bad86a8fc45845636g", "ä"] {
            assert!(!is_jid(text), "{text}");
        }
    }

    #[test]
    fn all_that_is_explained_can_be_written() {
        let words = Language::English.words();
        for (term, _) in TERMS {
            assert!(term.parse::<Query>().is_ok(), "{term}");
        }
        let explained = |name: &str| {
            TERMS.iter().any(|(term, text)| {
                format!("{term} {}", &**text(words)).contains(&format!("{name}:"))
            })
        };
        for name in Query::qualifiers() {
            assert!(explained(name), "{name}");
        }
    }
}
