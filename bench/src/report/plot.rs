//! Plots as SVG: bars for one figure of several systems, lines for a figure over a few settings.

use std::fmt::Write;

use crate::figures::{Sample, number};

const WIDTH: f64 = 760.0;
const FONT: &str =
    "font-family=\"system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif\"";
const INK: &str = "#1f2328";
const FAINT: &str = "#6e7781";
const GRID: &str = "#e4e7eb";

/// The first is ours; the others can be told apart by those who see fewer colours as well.
const COLOURS: [&str; 7] = [
    "#b3261e", "#0b6fa4", "#d98a00", "#3f8f5b", "#7a5195", "#5f6b76", "#9a6a4f",
];

/// Horizontal bars, each with its range.
#[derive(Clone, Debug)]
pub(crate) struct Bars {
    pub(crate) title: String,
    pub(crate) unit: String,
    pub(crate) bars: Vec<(String, Sample)>,
}

/// Lines over settings that stand side by side, on a logarithmic scale.
#[derive(Clone, Debug)]
pub(crate) struct Lines {
    pub(crate) title: String,
    pub(crate) unit: String,
    pub(crate) axis: String,
    pub(crate) settings: Vec<String>,
    pub(crate) lines: Vec<(String, Vec<Option<f64>>)>,
}

impl Bars {
    pub(crate) fn svg(&self) -> String {
        let (left, right, top, step) = (190.0, 110.0, 58.0, 30.0);
        let most = self
            .bars
            .iter()
            .map(|(_, bar)| bar.max())
            .fold(0.0, f64::max);
        let most = if most > 0.0 { most } else { 1.0 };
        let x = |value: f64| left + value / most * (WIDTH - left - right);
        let height = top + step * self.bars.len() as f64 + 14.0;
        let mut svg = head(height, &self.title, &self.unit);
        for (index, (name, bar)) in self.bars.iter().enumerate() {
            let y = top + step * index as f64;
            let middle = y + 10.0;
            let (median, end) = (bar.median(), x(bar.max()));
            text(&mut svg, left - 10.0, middle + 4.5, "end", INK, 13.0, name);
            let _ = write!(
                svg,
                "<rect x=\"{left}\" y=\"{y}\" width=\"{:.1}\" height=\"20\" rx=\"2\" fill=\"{}\"/>",
                (x(median) - left).max(1.0),
                COLOURS[usize::from(!name.starts_with("sancho"))]
            );
            if bar.max() > bar.min() {
                let (from, to) = (x(bar.min()), end);
                let _ = write!(
                    svg,
                    "<path d=\"M{from:.1} {middle}H{to:.1}M{from:.1} {}V{}M{to:.1} {}V{}\" stroke=\"{INK}\" stroke-opacity=\"0.65\" fill=\"none\"/>",
                    middle - 4.0,
                    middle + 4.0,
                    middle - 4.0,
                    middle + 4.0
                );
            }
            text(
                &mut svg,
                end + 8.0,
                middle + 4.5,
                "start",
                INK,
                13.0,
                &number(median),
            );
        }
        svg + "</svg>\n"
    }
}

impl Lines {
    pub(crate) fn svg(&self) -> String {
        let (left, right, top, bottom, height) = (80.0, 150.0, 62.0, 48.0, 400.0);
        let values = || {
            self.lines
                .iter()
                .flat_map(|(_, line)| line.iter().flatten().copied())
        };
        let low = values()
            .fold(f64::INFINITY, f64::min)
            .max(1e-9)
            .log10()
            .floor();
        let high = values().fold(1e-9, f64::max).log10();
        // Half a decade more at most than what is drawn.
        let high = ((high - low) * 2.0).ceil().max(1.0) / 2.0 + low;
        let y = |value: f64| {
            let share = (value.max(1e-9).log10() - low) / (high - low);
            height - bottom - share * (height - top - bottom)
        };
        let gaps = self.settings.len().saturating_sub(1).max(1) as f64;
        let x = |index: usize| left + 20.0 + index as f64 / gaps * (WIDTH - left - right - 40.0);
        let mut svg = head(height, &self.title, &self.unit);
        for decade in 0..12 {
            for step in [1.0, 3.0] {
                let value = step * 10_f64.powf(low + f64::from(decade));
                if value.log10() > high + 1e-6 {
                    continue;
                }
                let at = y(value);
                let _ = write!(
                    svg,
                    "<path d=\"M{left} {at:.1}H{}\" stroke=\"{GRID}\"/>",
                    WIDTH - right
                );
                text(
                    &mut svg,
                    left - 8.0,
                    at + 4.0,
                    "end",
                    FAINT,
                    12.0,
                    &number(value),
                );
            }
        }
        for (index, setting) in self.settings.iter().enumerate() {
            text(
                &mut svg,
                x(index),
                height - bottom + 20.0,
                "middle",
                INK,
                12.0,
                setting,
            );
        }
        let middle = f64::midpoint(left, WIDTH - right);
        text(
            &mut svg,
            middle,
            height - 8.0,
            "middle",
            FAINT,
            12.0,
            &self.axis,
        );
        let mut labels = Vec::new();
        for (index, (name, line)) in self.lines.iter().enumerate() {
            let colour = COLOURS[index % COLOURS.len()];
            let points: Vec<(f64, f64)> = line
                .iter()
                .enumerate()
                .filter_map(|(at, value)| value.map(|value| (x(at), y(value))))
                .collect();
            let path: Vec<_> = points
                .iter()
                .map(|(x, y)| format!("{x:.1},{y:.1}"))
                .collect();
            let _ = write!(
                svg,
                "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2.2\"/>",
                path.join(" ")
            );
            for (x, y) in &points {
                let _ = write!(
                    svg,
                    "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.2\" fill=\"{colour}\"/>"
                );
            }
            if let Some((x, y)) = points.last() {
                labels.push((*x, *y, colour, name));
            }
        }
        // Names stand beside the ends of their lines, never on one another.
        labels.sort_by(|a, b| a.1.total_cmp(&b.1));
        let mut free = 0.0;
        for (x, y, colour, name) in labels {
            let at = y.max(free);
            free = at + 16.0;
            text(&mut svg, x + 10.0, at + 4.0, "start", colour, 13.0, name);
        }
        svg + "</svg>\n"
    }
}

fn head(height: f64, title: &str, unit: &str) -> String {
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" {FONT}>\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#ffffff\"/>"
    );
    text(&mut svg, 16.0, 24.0, "start", INK, 16.0, title);
    text(&mut svg, 16.0, 43.0, "start", FAINT, 12.0, unit);
    svg
}

fn text(svg: &mut String, x: f64, y: f64, anchor: &str, colour: &str, size: f64, text: &str) {
    let weight = if size > 15.0 {
        " font-weight=\"600\""
    } else {
        ""
    };
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    let _ = write!(
        svg,
        "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" fill=\"{colour}\" font-size=\"{size}\"{weight}>{text}</text>"
    );
}
