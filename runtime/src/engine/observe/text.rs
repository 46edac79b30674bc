//! Prometheus's text format, version 0.0.4.

use std::fmt::{Display, Write as _};

use super::histogram::Histogram;

/// A page of metrics.
#[derive(Debug, Default)]
pub(super) struct Text(String);

/// One metric of a page, to which values are added.
pub(super) struct Family<'a> {
    out: &'a mut String,
    name: &'static str,
}

/// Labels and their values.
pub(super) type Labels<'a> = &'a [(&'static str, &'a str)];

impl Text {
    /// A metric whose value only grows.
    pub(super) fn counter(&mut self, name: &'static str, help: &str) -> Family<'_> {
        self.family(name, "counter", help)
    }

    pub(super) fn gauge(&mut self, name: &'static str, help: &str) -> Family<'_> {
        self.family(name, "gauge", help)
    }

    pub(super) fn histogram(&mut self, name: &'static str, help: &str) -> Family<'_> {
        self.family(name, "histogram", help)
    }

    fn family(&mut self, name: &'static str, kind: &str, help: &str) -> Family<'_> {
        // Writing to a text cannot fail, here and below.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
        let out = &mut self.0;
        Family { out, name }
    }

    pub(super) fn into_string(self) -> String {
        self.0
    }
}

impl Family<'_> {
    pub(super) fn value(&mut self, labels: Labels<'_>, value: impl Display) {
        self.line("", labels, None, value);
    }

    pub(super) fn times(&mut self, labels: Labels<'_>, times: &Histogram) {
        for (bound, n) in times.cumulative() {
            self.line("_bucket", labels, Some(bound), n);
        }
        self.line("_bucket", labels, Some("+Inf"), times.count());
        self.line("_sum", labels, None, times.sum().as_secs_f64());
        self.line("_count", labels, None, times.count());
    }

    fn line(&mut self, part: &str, labels: Labels<'_>, bound: Option<&str>, value: impl Display) {
        let bound = bound.map(|bound| ("le", bound));
        let _ = write!(self.out, "{}{part}", self.name);
        let mut before = '{';
        for (name, value) in labels.iter().copied().chain(bound) {
            let _ = write!(self.out, "{before}{name}=\"");
            escape(self.out, value);
            self.out.push('"');
            before = ',';
        }
        if before == ',' {
            self.out.push('}');
        }
        let _ = writeln!(self.out, " {value}");
    }
}

/// The value of a label: classes and queues are whatever others wrote.
fn escape(out: &mut String, value: &str) {
    for part in value.chars() {
        match part {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            part => out.push(part),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn values_are_written_with_their_labels() {
        let mut text = Text::default();
        text.gauge("up", "whether it is up").value(&[], 1);
        let mut depth = text.gauge("depth", "how deep it is");
        depth.value(&[("queue", "a\"\\\n}"), ("of", "b")], 1.5);
        assert_eq!(
            text.into_string(),
            "# HELP up whether it is up\n# TYPE up gauge\nup 1\n\
             # HELP depth how deep it is\n# TYPE depth gauge\ndepth{queue=\"a\\\"\\\\\\n}\",of=\"b\"} 1.5\n"
        );
    }

    #[test]
    fn a_histogram_ends_with_its_sum_and_count() {
        let mut times = Histogram::default();
        times.observe(Duration::from_millis(1_500));
        let mut text = Text::default();
        text.histogram("took", "how long it took")
            .times(&[("class", "A")], &times);
        let text = text.into_string();
        for line in [
            "took_bucket{class=\"A\",le=\"1\"} 0",
            "took_bucket{class=\"A\",le=\"2.5\"} 1",
            "took_bucket{class=\"A\",le=\"+Inf\"} 1",
            "took_sum{class=\"A\"} 1.5",
            "took_count{class=\"A\"} 1",
        ] {
            assert!(text.lines().any(|it| it == line), "{line} in {text}");
        }
    }
}
