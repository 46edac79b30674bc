//! Several workers on one queue, watched together.

use std::time::{Duration, Instant};

use crate::Result;
use crate::rig::{Process, Work};
use crate::setting::{Setting, rate};

/// How often each worker says how far it is.
const EVERY: u64 = 1_000;

/// How long it may take.
const PATIENCE: Duration = Duration::from_secs(300);

/// What they did together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Crew {
    /// Jobs a second of all.
    pub(super) rate: f64,
    /// CPU a job of all workers, in µs.
    pub(super) cpu: f64,
    /// The longest time that one of them saw none of its jobs end, in ms.
    pub(super) gap: f64,
}

/// Lets so many workers drain what is there.
pub(super) fn drain(
    setting: &Setting,
    url: &str,
    concurrency: usize,
    jobs: u64,
    workers: u64,
) -> Result<Crew> {
    let work = Work {
        url,
        job: "no_op",
        concurrency,
        jobs,
    };
    let every = EVERY.to_string();
    let crew: Vec<Process> = (0..workers)
        .map(|_| setting.sancho()?.work_with(&work, &["--every", &every]))
        .collect::<Result<_>>()?;
    let mut ended = vec![(0, 0_u64); crew.len()];
    let (mut first, mut last) = (None, Instant::now());
    let mut started = Duration::ZERO;
    // The last jobs of each are less than what it would speak of.
    let patience = Instant::now() + PATIENCE;
    while ended.iter().map(|(count, _)| count).sum::<u64>() + workers * EVERY <= jobs {
        if Instant::now() > patience {
            return Err(
                format!("{workers} workers did not drain {jobs} jobs within {PATIENCE:?}").into(),
            );
        }
        for (process, state) in crew.iter().zip(&mut ended) {
            while let Some(line) = process.line_within(Duration::from_millis(1))? {
                let mut words = line.text.split(' ');
                match words.next() {
                    Some("first") if first.is_none() => {
                        first = Some(line.at);
                        started = cpu(&crew)?;
                    }
                    Some("ended") => {
                        let mut number = || words.next().unwrap_or_default().parse::<u64>();
                        *state = (number()?, number()?);
                        last = last.max(line.at);
                    }
                    _ => {}
                }
            }
        }
    }
    let total: u64 = ended.iter().map(|(count, _)| count).sum();
    let used = cpu(&crew)?.saturating_sub(started);
    let took = last.saturating_duration_since(first.ok_or("no worker began")?);
    let gap = ended.iter().map(|(_, gap)| *gap).max().unwrap_or(0);
    Ok(Crew {
        rate: rate(total, took),
        cpu: used.as_secs_f64() * 1e6 / total.max(1) as f64,
        gap: gap as f64 / 1e6,
    })
}

fn cpu(crew: &[Process]) -> Result<Duration> {
    crew.iter().map(Process::cpu).sum()
}
