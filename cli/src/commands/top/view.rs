//! Drawing the screen.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{
    Block, Cell, Clear, Paragraph, Row as TableRow, Sparkline, Table, TableState, Tabs,
};

use super::state::{Row, State, Tab};
use crate::output::{grouped, human, one_line};

const FAINT: Style = Style::new().fg(Color::DarkGray);
const GOOD: Style = Style::new().fg(Color::Green);
const WARNING: Style = Style::new().fg(Color::Yellow);
const BAD: Style = Style::new().fg(Color::Red);

const HELP: [&str; 12] = [
    "1 to 5, Tab   another table",
    "j k, arrows   another row",
    "g G           first, last row",
    "r             run a job again now",
    "x             move a job to the dead set",
    "d             delete a job",
    "p             pause a queue, or take from it again",
    "t             tell a process to take no more jobs",
    "s             tell a process to stop",
    "space         refresh",
    "?             this help",
    "q             end",
];

pub(super) fn draw(frame: &mut Frame<'_>, state: &State) {
    let rows = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(5),
        Constraint::Length(1),
        Constraint::Min(3),
        Constraint::Length(1),
    ]);
    let [numbers, rates, tabs, table, foot] = rows.areas(frame.area());
    frame.render_widget(Paragraph::new(counters(state)), numbers);
    draw_rates(frame, state, rates);
    let titles = Tab::ALL
        .iter()
        .enumerate()
        .map(|(index, tab)| format!("{} {}", index + 1, tab.title()));
    let bar = Tabs::new(titles)
        .select(state.tab.index())
        .style(FAINT)
        .highlight_style(Style::new().add_modifier(Modifier::BOLD | Modifier::REVERSED));
    frame.render_widget(bar, tabs);
    draw_table(frame, state, table);
    let message = if state.message.is_empty() {
        Line::styled("? help  q end", FAINT)
    } else {
        Line::from(one_line(&state.message, 400))
    };
    frame.render_widget(Paragraph::new(message), foot);
    if state.help {
        draw_help(frame);
    }
}

fn counters(state: &State) -> Line<'static> {
    let stats = &state.stats;
    let warn = |number: u64, style| if number > 0 { style } else { Style::new() };
    let processes = if stats.processes == 0 {
        WARNING
    } else {
        Style::new()
    };
    let parts = [
        ("busy", stats.busy, GOOD),
        ("enqueued", stats.enqueued, Style::new()),
        ("scheduled", stats.scheduled, Style::new()),
        ("retries", stats.retries, warn(stats.retries, WARNING)),
        ("dead", stats.dead, warn(stats.dead, BAD)),
        ("processes", stats.processes, processes),
        ("processed", stats.processed, Style::new()),
        ("failed", stats.failed, Style::new()),
    ];
    let spans = parts.into_iter().flat_map(|(name, number, style)| {
        [
            Span::styled(grouped(number), style.add_modifier(Modifier::BOLD)),
            Span::styled(format!(" {name}  "), FAINT),
        ]
    });
    Line::from(spans.collect::<Vec<_>>())
}

fn draw_rates(frame: &mut Frame<'_>, state: &State, area: Rect) {
    let [processed, failed] =
        Layout::horizontal([Constraint::Fill(2), Constraint::Fill(1)]).areas(area);
    for (area, name, rates, style) in [
        (processed, "processed", &state.processed, GOOD),
        (failed, "failed", &state.failed, BAD),
    ] {
        let block = Block::bordered().border_style(FAINT);
        let width = usize::from(block.inner(area).width);
        // The latest stand at the right.
        let skipped = rates.len().saturating_sub(width);
        let shown: Vec<u64> = rates.iter().copied().skip(skipped).collect();
        let now = rates.back().copied().unwrap_or_default();
        let block = block.title(format!(" {name} {}/s ", grouped(now)));
        frame.render_widget(
            Sparkline::default().block(block).data(shown).style(style),
            area,
        );
    }
}

fn draw_table(frame: &mut Frame<'_>, state: &State, area: Rect) {
    let (head, widths): (&[&str], &[Constraint]) = match state.tab {
        Tab::Queues => (
            &["queue", "size", "latency", ""],
            &[
                Constraint::Fill(2),
                Constraint::Length(13),
                Constraint::Length(12),
                Constraint::Fill(1),
            ],
        ),
        Tab::Busy => (
            &["jid", "job", "queue", "for", "process", "arguments"],
            &[
                Constraint::Length(24),
                Constraint::Fill(2),
                Constraint::Fill(1),
                Constraint::Length(10),
                Constraint::Fill(2),
                Constraint::Fill(3),
            ],
        ),
        Tab::Processes => (
            &["process", "state", "busy", "MiB", "up", "queues"],
            &[
                Constraint::Fill(2),
                Constraint::Length(8),
                Constraint::Length(11),
                Constraint::Length(7),
                Constraint::Length(10),
                Constraint::Fill(2),
            ],
        ),
        Tab::Retries | Tab::Dead => (
            &["when", "tries", "job", "arguments", "error"],
            &[
                Constraint::Length(12),
                Constraint::Length(5),
                Constraint::Fill(1),
                Constraint::Fill(1),
                Constraint::Fill(2),
            ],
        ),
    };
    if state.rows.is_empty() {
        let empty = match state.tab {
            Tab::Queues => "no queues: nothing was ever pushed here",
            Tab::Busy => "nothing runs",
            Tab::Processes => "no process takes jobs from this store",
            Tab::Retries => "no job waits for another try",
            Tab::Dead => "no job was given up",
        };
        frame.render_widget(Paragraph::new(Line::styled(empty, FAINT)), area);
        return;
    }
    let rows = state
        .rows
        .iter()
        .map(|row| TableRow::new(cells(row, state)));
    let head = TableRow::new(head.iter().map(|name| Cell::from(name.to_uppercase()))).style(FAINT);
    let table = Table::new(rows, widths)
        .header(head)
        .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED));
    let mut chosen = TableState::new().with_selected(state.selected);
    frame.render_stateful_widget(table, area, &mut chosen);
}

fn cells(row: &Row, state: &State) -> Vec<Cell<'static>> {
    let text = |text: String| Cell::from(one_line(&text, 200));
    let since = |at: Option<sancho::job::Timestamp>| {
        at.map_or_else(|| "-".to_owned(), |at| human(state.now.since(at)))
    };
    match row {
        Row::Queue(queue) => {
            let (said, style) = if queue.paused {
                ("paused", WARNING)
            } else if state.served.contains(&queue.name) {
                ("", FAINT)
            } else {
                ("no process takes from it", WARNING)
            };
            let latency = if queue.size > 0 {
                human(queue.latency)
            } else {
                "-".to_owned()
            };
            vec![
                text(queue.name.clone()),
                Cell::from(grouped(queue.size)),
                Cell::from(latency),
                Cell::from(said).style(style),
            ]
        }
        Row::Work(work) => vec![
            text(work.job.jid().to_string()),
            text(work.job.display_class()),
            text(work.queue.clone()),
            Cell::from(since(work.run_at)),
            text(work.process.clone()).style(FAINT),
            text(work.job.display_args().join(", ")),
        ],
        Row::Process(process) => {
            let (said, style) = if process.quiet {
                ("quiet", WARNING)
            } else {
                ("running", GOOD)
            };
            vec![
                text(process.identity.clone()),
                Cell::from(said).style(style),
                Cell::from(format!("{} of {}", process.busy, process.concurrency)),
                Cell::from(grouped(process.rss_kb / 1_024)),
                Cell::from(since(process.started_at)),
                text(process.queues.join(", ")),
            ]
        }
        Row::Timed(entry) => {
            let when = if entry.at() > state.now {
                format!("in {}", human(entry.at().since(state.now)))
            } else {
                format!("{} ago", human(state.now.since(entry.at())))
            };
            let tries = entry
                .retry_count()
                .map_or_else(String::new, |count| count.saturating_add(1).to_string());
            let error = [entry.error_class(), entry.error_message()]
                .into_iter()
                .flatten()
                .collect::<Vec<_>>()
                .join(": ");
            vec![
                Cell::from(when),
                Cell::from(tries),
                text(entry.display_class()),
                text(entry.display_args().join(", ")),
                text(error).style(BAD),
            ]
        }
    }
}

fn draw_help(frame: &mut Frame<'_>) {
    let area = frame.area();
    let height = u16::try_from(HELP.len())
        .unwrap_or(u16::MAX)
        .saturating_add(2)
        .min(area.height);
    let width = 56.min(area.width);
    let help = Rect {
        x: (area.width - width) / 2,
        y: (area.height - height) / 2,
        width,
        height,
    };
    frame.render_widget(Clear, help);
    let lines: Vec<_> = HELP.iter().map(|line| Line::from(*line)).collect();
    frame.render_widget(
        Paragraph::new(lines).block(Block::bordered().title(" keys ")),
        help,
    );
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::super::Wish;
    use super::super::act::Deed;
    use super::*;

    fn screen(state: &State) -> String {
        let mut terminal = Terminal::new(TestBackend::new(100, 24)).unwrap();
        terminal.draw(|frame| draw(frame, state)).unwrap();
        terminal.backend().to_string()
    }

    async fn filled() -> (sancho::api::Api, State) {
        let config = sancho::Config::new().store("memory:");
        let api = sancho::api::Api::new(&sancho::Client::connect(config).await.unwrap());
        let queue = api.queue("mailers").unwrap();
        for number in 0..3 {
            queue
                .put(format!(
                    r#"{{"class":"WelcomeEmail","args":[{number}],"jid":"j{number}"}}"#
                ))
                .await
                .unwrap();
        }
        let failed = r#"{"class":"Sync","args":["a\u001b[31m"],"jid":"d1","error_class":"Timeout","error_message":"gone\nfor good","retry_count":4}"#;
        api.retries().put(api.now(), failed).await.unwrap();
        let mut state = State::default();
        state.refresh(&api).await.unwrap();
        (api, state)
    }

    #[tokio::test]
    async fn tables_are_drawn_and_rows_are_acted_on() {
        let (api, mut state) = filled().await;
        let drawn = screen(&state);
        assert!(
            drawn.contains("3 enqueued") && drawn.contains("mailers"),
            "{drawn}"
        );
        assert!(drawn.contains("no process takes from it"), "{drawn}");

        state.plan(Deed::Pause);
        assert!(screen(&state).contains("pause the queue mailers? [y/N]"));
        super::super::act::carry_out(&api, &mut state).await;
        assert!(screen(&state).contains("is paused"));

        state.obey(Wish::Show(Tab::Retries));
        state.refresh(&api).await.unwrap();
        let drawn = screen(&state);
        assert!(
            drawn.contains("Sync") && drawn.contains("Timeout: gone\u{fffd}for good"),
            "{drawn}"
        );
        assert!(!drawn.contains('\u{1b}'), "{drawn}");
        state.plan(Deed::Pause);
        assert!(screen(&state).contains("does nothing here"));
        state.plan(Deed::Retry);
        state.obey(Wish::No);
        assert_eq!(api.retries().size().await.unwrap(), 1);
        state.plan(Deed::Retry);
        super::super::act::carry_out(&api, &mut state).await;
        assert_eq!(api.retries().size().await.unwrap(), 0);
        assert!(screen(&state).contains("no job waits for another try"));
    }

    #[tokio::test]
    async fn small_terminals_and_the_help_do_no_harm() {
        let (_, mut state) = filled().await;
        state.obey(Wish::Help);
        for (width, height) in [(1, 1), (10, 3), (40, 10), (300, 90)] {
            let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
            terminal.draw(|frame| draw(frame, &state)).unwrap();
        }
        assert!(screen(&state).contains("tell a process to stop"));
    }
}
