//! A live screen: queues, running jobs, processes, retries and dead jobs, with keys to act.

mod act;
mod state;
mod view;

use std::time::Duration;

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

use crate::Session;
use crate::error::{Error, Result};
use act::Deed;
use state::{State, Tab};

/// How often keys are looked for, so that the thread that reads them ends soon after the screen.
const KEY_POLL: Duration = Duration::from_millis(100);

/// What a key asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    Quit,
    Show(Tab),
    NextTab,
    PreviousTab,
    Down,
    Up,
    Top,
    Bottom,
    Help,
    Refresh,
    Do(Deed),
    Yes,
    No,
}

pub(crate) async fn top(session: &Session, every: Duration) -> Result<()> {
    use std::io::IsTerminal as _;

    if !std::io::stdout().is_terminal() {
        return Err(Error::usage(
            "`sancho top` needs a terminal: `sancho stats --json` is for programs",
        ));
    }
    // Before the screen is taken, so that a store that is away is one line.
    let mut state = State::default();
    state.refresh(&session.api).await?;
    let mut terminal = ratatui::try_init()?;
    let ended = run(session, &mut terminal, &mut state, every).await;
    ratatui::restore();
    ended
}

async fn run(
    session: &Session,
    terminal: &mut DefaultTerminal,
    state: &mut State,
    every: Duration,
) -> Result<()> {
    let mut keys = keys();
    let mut ended = std::pin::pin!(ended());
    let mut tick = interval(every);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        terminal.draw(|frame| view::draw(frame, state))?;
        let wish = tokio::select! {
            _ = tick.tick() => Some(Wish::Refresh),
            event = keys.recv() => match event {
                Some(Event::Key(key)) => wish(key, state.asks()),
                Some(_) => None,
                None => return Ok(()),
            },
            () = &mut ended => return Ok(()),
        };
        match wish {
            Some(Wish::Quit) => return Ok(()),
            Some(Wish::Refresh) => state.try_refresh(&session.api).await,
            Some(Wish::Do(deed)) => state.plan(deed),
            Some(Wish::Yes) => act::carry_out(&session.api, state).await,
            Some(wish) => state.obey(wish),
            None => {}
        }
    }
}

/// Ends where the process is told to end: a terminal that is left as a screen is of no use to whoever has it then.
#[cfg(unix)]
async fn ended() {
    use tokio::signal::unix::{SignalKind, signal};

    let (Ok(mut terminate), Ok(mut hangup)) = (
        signal(SignalKind::terminate()),
        signal(SignalKind::hangup()),
    ) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = hangup.recv() => {}
    }
}

#[cfg(not(unix))]
async fn ended() {
    std::future::pending().await
}

/// What is typed, read by a thread of its own, since the terminal can only be waited for.
fn keys() -> mpsc::Receiver<Event> {
    let (to, keys) = mpsc::channel(16);
    tokio::task::spawn_blocking(move || {
        while !to.is_closed() {
            match event::poll(KEY_POLL) {
                Ok(false) => {}
                Ok(true) => match event::read() {
                    Ok(event) => {
                        if to.blocking_send(event).is_err() {
                            return;
                        }
                    }
                    Err(_) => return,
                },
                Err(_) => return,
            }
        }
    });
    keys
}

fn wish(key: KeyEvent, asks: bool) -> Option<Wish> {
    if key.kind == KeyEventKind::Release {
        return None;
    }
    if key.modifiers.contains(KeyModifiers::CONTROL) {
        return (key.code == KeyCode::Char('c')).then_some(Wish::Quit);
    }
    if asks {
        return Some(match key.code {
            KeyCode::Char('y' | 'Y') | KeyCode::Enter => Wish::Yes,
            _ => Wish::No,
        });
    }
    Some(match key.code {
        KeyCode::Char('q') | KeyCode::Esc => Wish::Quit,
        KeyCode::Char('1') => Wish::Show(Tab::Queues),
        KeyCode::Char('2') => Wish::Show(Tab::Busy),
        KeyCode::Char('3') => Wish::Show(Tab::Processes),
        KeyCode::Char('4') => Wish::Show(Tab::Retries),
        KeyCode::Char('5') => Wish::Show(Tab::Dead),
        KeyCode::Tab | KeyCode::Right => Wish::NextTab,
        KeyCode::BackTab | KeyCode::Left => Wish::PreviousTab,
        KeyCode::Char('j') | KeyCode::Down => Wish::Down,
        KeyCode::Char('k') | KeyCode::Up => Wish::Up,
        KeyCode::Char('g') | KeyCode::Home => Wish::Top,
        KeyCode::Char('G') | KeyCode::End => Wish::Bottom,
        KeyCode::Char('?') => Wish::Help,
        KeyCode::Char(' ') => Wish::Refresh,
        KeyCode::Char('r') => Wish::Do(Deed::Retry),
        KeyCode::Char('x') => Wish::Do(Deed::Kill),
        KeyCode::Char('d') => Wish::Do(Deed::Delete),
        KeyCode::Char('p') => Wish::Do(Deed::Pause),
        KeyCode::Char('t') => Wish::Do(Deed::Quiet),
        KeyCode::Char('s') => Wish::Do(Deed::Stop),
        _ => return None,
    })
}
