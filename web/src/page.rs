//! The frame around every page.

use std::borrow::Cow;

use axum::http::StatusCode;
use axum::http::header::{HeaderName, HeaderValue};
use axum::response::{Html, IntoResponse, Response};
use maud::{DOCTYPE, Markup, html};
use sancho::api::search::{Query, State};

use crate::action::Action;
use crate::app::{Asked, Theme};
use crate::assets::{ICON, SCRIPT, STYLE};
use crate::language::{Language, Words};
use crate::problem::Problem;
use crate::snapshot::{Snapshot, Snapshots};

/// Where a page stands in the navigation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Dashboard,
    Busy,
    Queues,
    Scheduled,
    Retries,
    Dead,
    Errors,
    Cron,
    Metrics,
    /// Nowhere.
    None,
}

/// The navigation: where, its path, the key that leads there after `g`.
const PLACES: [(Place, &str, &str); 9] = [
    (Place::Dashboard, "", "d"),
    (Place::Busy, "busy", "b"),
    (Place::Queues, "queues", "q"),
    (Place::Scheduled, "scheduled", "s"),
    (Place::Retries, "retries", "r"),
    (Place::Dead, "dead", "x"),
    (Place::Errors, "errors", "e"),
    (Place::Cron, "cron", "c"),
    (Place::Metrics, "metrics", "m"),
];

impl Place {
    /// What it is called.
    pub(crate) fn name(self, words: &'static Words) -> &'static str {
        match self {
            Self::Dashboard => &words.dashboard,
            Self::Busy => &words.busy,
            Self::Queues => &words.queues,
            Self::Scheduled => &words.scheduled,
            Self::Retries => &words.retries,
            Self::Dead => &words.dead,
            Self::Errors => &words.errors,
            Self::Cron => &words.cron,
            Self::Metrics => &words.metrics,
            Self::None => "",
        }
    }
}

/// How many queues are offered for completion.
const OFFERED: usize = 60;

/// A page that shows something.
pub(crate) struct Page<'a> {
    pub(crate) asked: &'a Asked,
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) place: Place,
    pub(crate) title: &'a str,
    /// The view of `/events` that keeps `main` current, if there is one.
    pub(crate) live: Option<&'a str>,
}

impl Page<'_> {
    pub(crate) fn with(&self, body: &Markup) -> Response {
        let frame = Frame {
            asked: self.asked,
            snapshot: Some(self.snapshot),
            place: self.place,
            title: self.title,
            live: self.live,
        };
        Html(frame.around(body).into_string()).into_response()
    }
}

/// A problem as a page, with the numbers where the store gives them.
pub(crate) async fn problem(asked: &Asked, problem: &Problem) -> Response {
    // Who may see nothing sees no numbers either.
    let hidden = matches!(
        problem.status,
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::SERVICE_UNAVAILABLE
    );
    let snapshot = if hidden {
        None
    } else {
        Snapshots::get(&asked.app).await.ok()
    };
    let w = asked.words;
    let frame = Frame {
        asked,
        snapshot: snapshot.as_deref(),
        place: Place::None,
        title: problem.title(w),
        live: None,
    };
    let body = html! {
        section.problem data-away[problem.is_away()] {
            p.code { (problem.status.as_u16()) }
            h1 { (problem.title(w)) }
            p.text { (problem.text(w)) }
            @if problem.is_away() {
                p.hint { (w.asks_again) }
            } @else if !hidden {
                p { a href=(asked.to("")) { (w.to_dashboard) } }
            }
        }
    };
    let mut response = (problem.status, Html(frame.around(&body).into_string())).into_response();
    if problem.is_away() {
        let refresh = HeaderName::from_static("refresh");
        response
            .headers_mut()
            .insert(refresh, HeaderValue::from_static("5"));
    }
    response
}

struct Frame<'a> {
    asked: &'a Asked,
    snapshot: Option<&'a Snapshot>,
    place: Place,
    title: &'a str,
    live: Option<&'a str>,
}

impl Frame<'_> {
    fn around(&self, body: &Markup) -> Markup {
        let asked = self.asked;
        let environment = asked.app.options.environment.as_deref();
        let theme = (asked.theme != Theme::System).then(|| asked.theme.name());
        let w = asked.words;
        html! {
            (DOCTYPE)
            html lang=(w.language.tag()) dir=[w.language.direction()] data-theme=[theme] {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    meta name="robots" content="noindex, nofollow";
                    title { (self.title) @if let Some(name) = environment { " · " (name) } " · Sancho" }
                    link rel="stylesheet" href=(asked.to(&STYLE.path));
                    link rel="icon" type="image/svg+xml" href=(asked.to(&ICON.path));
                    script src=(asked.to(&SCRIPT.path)) defer {}
                }
                body data-events=(asked.to("events")) data-view=[self.live] data-words=(for_script(w)) {
                    a.skip href="#main" { (w.skip) }
                    header.side {
                        (self.brand(environment))
                        (self.navigation())
                        (self.store())
                    }
                    div.column {
                        (self.bar())
                        main #main tabindex="-1" { (body) }
                        footer { (self.languages()) }
                    }
                    (keys(w))
                    (confirmation(w))
                    div.toast role="status" aria-live="polite" {}
                }
            }
        }
    }

    fn brand(&self, environment: Option<&str>) -> Markup {
        let production = environment.is_some_and(|name| name.eq_ignore_ascii_case("production"));
        html! {
            div.brand {
                a href=(self.asked.to("")) {
                    img src=(self.asked.to(&ICON.path)) alt="" width="22" height="22";
                    span { "Sancho" }
                }
                @if let Some(name) = environment {
                    span.env.production[production] { (name) }
                }
            }
        }
    }

    fn navigation(&self) -> Markup {
        let w = self.asked.words;
        html! {
            nav aria-label=(w.pages) {
                ul {
                    @for (place, path, key) in PLACES {
                        li {
                            a href=(self.asked.to(path)) data-go=(key) aria-current=[(place == self.place).then_some("page")] {
                                span { (place.name(w)) }
                                @if let Some((what, n)) = self.count(place) {
                                    span.n.zero[n == 0] data-n=(what) title=(w.number(n)) { (w.short(n)) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    /// The number beside an entry of the navigation, and its name among the live ones.
    fn count(&self, place: Place) -> Option<(&'static str, u64)> {
        let snapshot = self.snapshot?;
        let stats = &snapshot.overview.stats;
        Some(match place {
            Place::Busy => ("busy", stats.busy),
            Place::Queues => ("enqueued", stats.enqueued),
            Place::Scheduled => ("scheduled", stats.scheduled),
            Place::Retries => ("retries", stats.retries),
            Place::Dead => ("dead", stats.dead),
            Place::Cron => ("cron", snapshot.cron),
            _ => return None,
        })
    }

    fn store(&self) -> Markup {
        let w = self.asked.words;
        html! {
            div.store {
                @if let Some(snapshot) = self.snapshot {
                    p title=(self.asked.app.store_name) { (self.asked.app.store_name) }
                    p { (w.answers_in.with(&[("time", &html! { span data-n="cost" { (w.cost(snapshot.cost)) } })])) }
                }
                @if self.asked.app.options.read_only { p { (w.read_only) } }
                @if let Some(user) = &self.asked.user { p { (w.as_user.with(&[("name", &user.name())])) } }
            }
        }
    }

    /// What stands above every page: the search, the live switch, the colours, the keys.
    fn bar(&self) -> Markup {
        let (w, theme) = (self.asked.words, self.asked.theme);
        let colours = w.colours.text(&[("theme", theme.word(w))]);
        let next = [("theme", theme.word(w)), ("next", theme.next().word(w))];
        html! {
            div.bar {
                form.find role="search" action=(self.asked.to("search")) {
                    label.hidden for="find" { (w.find_label) }
                    input #find type="search" name="q" list="terms" placeholder=(w.find_label) autocomplete="off" spellcheck="false" autocapitalize="off" data-terms;
                    kbd aria-hidden="true" { "/" }
                    (completion("terms", self.snapshot, &[]))
                }
                div.tools {
                    button.live type="button" hidden aria-pressed="true" title=(w.pause_or_go_on) {
                        span.dot {} span.word { (w.live) }
                    }
                    form method="post" action=(self.asked.to("theme")) {
                        input type="hidden" name="theme" value=(theme.next().name());
                        button.icon type="submit" title=(colours) aria-label=(w.colours_change.text(&next)) {
                            (sun())
                        }
                    }
                    button.icon.help type="button" hidden title={ (w.keys) " (?)" } aria-label=(w.keys) { "?" }
                }
            }
        }
    }

    /// The languages: chosen at once with scripts, with a button without.
    fn languages(&self) -> Markup {
        let w = self.asked.words;
        html! {
            form.language method="post" action=(self.asked.to("language")) data-at-once {
                label.hidden for="language" { (w.language_label) }
                select #language name="language" autocomplete="off" {
                    @for language in Language::ALL {
                        option value=(language.tag()) lang=(language.tag()) selected[language == w.language] { (language.name()) }
                    }
                }
                button type="submit" { (w.language_change) }
            }
        }
    }
}

/// What the script says.
fn for_script(w: &'static Words) -> String {
    let units = [&w.unit_s, &w.unit_min, &w.unit_h, &w.unit_d];
    let template = |template: &crate::language::Template| template.forms()[0];
    serde_json::json!({
        "now": &*w.now, "ago": template(&w.ago), "in": template(&w.in_time), "units": units.map(template),
        "copy": &*w.copy, "copied": &*w.copied, "select": &*w.select_jobs, "selected": template(&w.n_selected),
        "live": &*w.live, "paused": &*w.paused, "pause": &*w.pause_or_go_on, "away": &*w.store_away,
        "unconnected": &*w.not_connected, "silent": &*w.server_silent,
    })
    .to_string()
}

/// What a search is offered to be completed with: qualifiers, states, queues, and these classes.
pub(crate) fn completion(id: &str, snapshot: Option<&Snapshot>, classes: &[String]) -> Markup {
    let queues = snapshot.map_or(&[][..], |snapshot| &snapshot.overview.queues);
    html! {
        datalist id=(id) {
            @for name in Query::qualifiers().filter(|name| *name != "state") { option value={ (name) ":" } {} }
            @for state in State::ALL { option value={ "state:" (state) } {} }
            @for queue in queues.iter().take(OFFERED) { option value={ "queue:" (quoted(&queue.name)) } {} }
            @for class in classes { option value={ "class:" (quoted(class)) } {} }
        }
    }
}

/// A value as it is written in a query.
fn quoted(value: &str) -> Cow<'_, str> {
    if value.contains(|c: char| c.is_whitespace() || c == '"') {
        let escaped = value.replace('\\', "\\\\").replace('"', "\\\"");
        format!("\"{escaped}\"").into()
    } else {
        value.into()
    }
}

/// The head of a page: its name, what belongs to it, and what can be done on the right.
pub(crate) fn head(title: &str, about: &Markup, tools: &Markup) -> Markup {
    html! {
        div.head {
            div { h1 { (title) } p.about { (about) } }
            div.tools { (tools) }
        }
    }
}

/// What a place looks like that has nothing in it.
pub(crate) fn empty(title: &str, text: &str) -> Markup {
    html! { div.empty { p { (title) } p { (text) } } }
}

/// A button that posts what its form says. With scripts, a question is asked on the spot; without, by a page.
pub(crate) fn button(
    asked: &Asked,
    action: Action,
    value: &str,
    name: &str,
    question: Option<&str>,
) -> Markup {
    html! {
        @if asked.may(action) {
            button type="submit" name="do" value=(value) .danger[question.is_some()] data-ask=[question] { (name) }
        }
    }
}

fn sun() -> Markup {
    html! {
        svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" {
            circle cx="8" cy="8" r="5.5" fill="none" stroke="currentColor" stroke-width="1.4" {}
            path d="M8 2.5 A5.5 5.5 0 0 1 8 13.5 Z" fill="currentColor" {}
        }
    }
}

fn keys(w: &'static Words) -> Markup {
    html! {
        dialog.keys aria-labelledby="keys-title" {
            h2 #keys-title { (w.keys) }
            dl {
                @for (place, _, key) in PLACES {
                    dt { kbd { "g" } " " kbd { (key) } } dd { (place.name(w)) }
                }
                dt { kbd { "/" } } dd { (w.search) }
                dt { kbd { "j" } " " kbd { "k" } } dd { (w.key_rows) }
                dt { kbd { "x" } } dd { (w.key_select) }
                dt { kbd { "Enter" } } dd { (w.key_open) }
                dt { kbd { "p" } } dd { (w.key_pause) }
                dt { kbd { "?" } } dd { (w.key_help) }
            }
            form method="dialog" { button { (w.close) } }
        }
    }
}

fn confirmation(w: &'static Words) -> Markup {
    html! {
        dialog.confirm aria-labelledby="confirm-text" {
            p #confirm-text {}
            div.tools {
                button.no type="button" { (w.cancel) }
                button.yes.danger type="button" { (w.do_it) }
            }
        }
    }
}
