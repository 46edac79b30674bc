//! Charts, drawn on the server. Their parts are sized by attributes and coloured by classes: no style stands inside of a page.

use maud::{Markup, html};

use crate::language::Words;

/// The size of the drawing; it is stretched to its place.
const WIDTH: u64 = 1_000;
const HEIGHT: u64 = 100;

/// A bar: what went well below, what failed on top.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bar {
    /// When or what it is.
    pub(crate) label: String,
    pub(crate) good: u64,
    pub(crate) bad: u64,
    /// What is marked at its left edge: a deploy.
    pub(crate) mark: Option<String>,
}

/// What the bars of a chart count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Executions,
    Milliseconds,
}

/// Bars beside each other, with a scale on the left and three labels below.
pub(crate) fn bars(w: &'static Words, bars: &[Bar], unit: Unit, what: &str) -> Markup {
    let highest = bars.iter().map(Bar::whole).max().unwrap_or(0);
    let top = scale(highest);
    let step = WIDTH * 10 / (bars.len().max(1) as u64);
    let labels = [0, bars.len() / 2, bars.len().saturating_sub(1)];
    html! {
        figure.chart {
            div.plot {
                div.scale aria-hidden="true" { span { (w.short(top)) } span { (w.short(top / 2)) } span { "0" } }
                svg viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } preserveAspectRatio="none" role="img" aria-label=(summary(w, bars, unit, what)) {
                    line.grid x1="0" x2=(WIDTH) y1="0.5" y2="0.5" {}
                    line.grid x1="0" x2=(WIDTH) y1="50" y2="50" {}
                    line.grid x1="0" x2=(WIDTH) y1="99.5" y2="99.5" {}
                    @for (index, bar) in bars.iter().enumerate() { (bar.draw(w, step * index as u64, step, top, unit)) }
                }
            }
            @if !bars.is_empty() {
                div.times aria-hidden="true" { @for label in labels { span { (bars[label].label) } } }
            }
        }
    }
}

/// A chart in words.
fn summary(w: &'static Words, bars: &[Bar], unit: Unit, what: &str) -> String {
    match unit {
        Unit::Executions => {
            let total = bars
                .iter()
                .fold(0_u64, |sum, bar| sum.saturating_add(bar.whole()));
            let failed = bars
                .iter()
                .fold(0_u64, |sum, bar| sum.saturating_add(bar.bad));
            let (total, failed) = (w.number(total), w.number(failed));
            w.chart_executions
                .text(&[("what", what), ("total", &total), ("failed", &failed)])
        }
        Unit::Milliseconds => {
            let longest = bars.iter().map(Bar::whole).max().unwrap_or(0);
            let time = milliseconds(w, longest);
            w.chart_at_most.text(&[("what", what), ("time", &time)])
        }
    }
}

impl Bar {
    fn whole(&self) -> u64 {
        self.good.saturating_add(self.bad)
    }

    /// At `x`, `step` wide; all in tenths, so that bars of equal width stay so.
    fn draw(&self, w: &'static Words, x: u64, step: u64, top: u64, unit: Unit) -> Markup {
        // What is not nothing can be seen.
        let height = |n: u64| match n {
            0 => 0,
            n => share_of(n, HEIGHT * 10, top).max(10),
        };
        let (good, bad) = (height(self.good), height(self.bad));
        let width = (step * 4 / 5).max(5);
        let bottom = HEIGHT * 10;
        html! {
            g {
                title {
                    (self.label) ": "
                    @match unit {
                        Unit::Executions => (w.bar_executions.with(&[("n", &w.number(self.whole())), ("failed", &w.number(self.bad))])),
                        Unit::Milliseconds => (milliseconds(w, self.whole())),
                    }
                    @if let Some(mark) = &self.mark { " · " (w.deployed_mark.with(&[("mark", mark)])) }
                }
                rect.hit x=(tenths(x)) y="0" width=(tenths(step)) height=(HEIGHT) {}
                @if self.mark.is_some() { line.mark x1=(tenths(x)) x2=(tenths(x)) y1="0" y2=(HEIGHT) {} }
                @if good > 0 { rect.good x=(tenths(x)) width=(tenths(width)) y=(tenths(bottom.saturating_sub(good))) height=(tenths(good)) {} }
                @if bad > 0 { rect.bad x=(tenths(x)) width=(tenths(width)) y=(tenths(bottom.saturating_sub(good + bad))) height=(tenths(bad)) {} }
            }
        }
    }
}

fn milliseconds(w: &Words, n: u64) -> String {
    w.unit_ms.text(&[("n", &w.number(n))])
}

fn tenths(n: u64) -> String {
    format!("{}.{}", n / 10, n % 10)
}

/// `n` of `whole`, on a scale of `top`.
fn share_of(n: u64, top: u64, whole: u64) -> u64 {
    let share = u128::from(n) * u128::from(top) / u128::from(whole.max(1));
    u64::try_from(share).unwrap_or(top)
}

/// A line of bars without a scale, for a table.
pub(crate) fn spark(values: &[u64], what: &str) -> Markup {
    let highest = values.iter().copied().max().unwrap_or(0).max(1);
    let width = values.len().max(1) * 3;
    html! {
        svg.spark viewBox={ "0 0 " (width) " 20" } preserveAspectRatio="none" role="img" aria-label=(what) {
            @for (index, value) in values.iter().enumerate() {
                @let height = share_of(*value, 20, highest).max(u64::from(*value > 0));
                rect x=(index * 3) width="2" y=(20 - height) height=(height) {}
            }
        }
    }
}

/// A part of a whole, as a bar.
pub(crate) fn share(part: u64, whole: u64, what: &str) -> Markup {
    let percent = crate::format::whole_percent(part, whole).min(100);
    // Where the numbers stand beside it, it says nothing more.
    let said = (!what.is_empty()).then_some(what);
    html! {
        svg.share viewBox="0 0 100 6" preserveAspectRatio="none" role=[said.map(|_| "img")] aria-label=[said] aria-hidden=[said.is_none().then_some("true")] {
            rect.all x="0" y="0" width="100" height="6" rx="1" {}
            rect.part x="0" y="0" width=(percent) height="6" rx="1" {}
        }
    }
}

/// The end of the scale: a round number whose half is one, at least the highest value.
fn scale(highest: u64) -> u64 {
    let mut unit = 1_u64;
    loop {
        for times in [2, 4, 6, 8, 10] {
            let top = unit.saturating_mul(times);
            if top >= highest {
                return top;
            }
        }
        unit = unit.saturating_mul(10);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::Language;

    const EN: &Words = Language::English.words();

    #[test]
    fn a_scale_ends_at_a_round_number() {
        for (highest, top) in [(0, 2), (2, 2), (3, 4), (5, 6), (11, 20), (4_001, 6_000)] {
            assert_eq!(scale(highest), top, "{highest}");
        }
        assert_eq!(scale(u64::MAX), u64::MAX);
    }

    #[test]
    fn a_chart_escapes_its_labels_and_survives_any_number() {
        let bar = Bar {
            label: "<script>".into(),
            good: u64::MAX / 2,
            bad: 1,
            mark: Some("\"&".into()),
        };
        let drawn = bars(EN, &[bar], Unit::Executions, "x").into_string();
        assert!(!drawn.contains("<script>"), "{drawn}");
        assert!(
            bars(EN, &[], Unit::Executions, "x")
                .into_string()
                .contains("0 executions")
        );
    }
}
