//! `push URL JOB HOW JOBS NUMBER`: a pusher.

use chrono::DateTime;
use sancho::{Client, Push};
use tokio::runtime::Handle;
use tokio::task::JoinSet;

use super::connect;
use super::jobs::{burn_100us, fail_half, late, no_op, pick_up, pick_up_wait, wait_1ms, wait_10ms};
use crate::Result;
use crate::rig::{now_ns, pause_until, wall_ns};

/// How many queues `mixed` pushes to: `q1`, the most urgent one, to `q5`.
const QUEUES: u64 = 5;

/// Pushes, in one of these ways; `number` says of each:
/// - `single`: how many callers push one at a time.
/// - `bulk`: nothing. `mixed`: nothing; the jobs go to five queues.
/// - `paced`, `urgent`: the nanoseconds between two pushes, to `default` or to `critical`. No push waits for the one before it.
/// - `due`: the wall-clock time, in nanoseconds, at which all are due.
/// - `spread`: that at which the first is due, and the others a millisecond after one another.
pub(crate) async fn push(url: &str, job: &str, how: &str, jobs: u64, number: u64) -> Result<()> {
    let client = connect(url).await?;
    println!("first");
    match how {
        "single" => single(&client, job, jobs, number).await?,
        "bulk" => bulk(&client, job, "default", 0..jobs, None).await?,
        "mixed" => {
            let share = jobs / QUEUES;
            for queue in 0..QUEUES {
                let numbers = queue * share..(queue + 1) * share;
                bulk(&client, job, &format!("q{}", queue + 1), numbers, None).await?;
            }
        }
        "paced" => paced(&client, job, "default", jobs, number).await?,
        "urgent" => paced(&client, job, "critical", jobs, number).await?,
        "due" => bulk(&client, job, "default", 0..jobs, Some(number)).await?,
        "spread" => spread(&client, jobs, number).await?,
        other => return Err(format!("there is no way {other} to push").into()),
    }
    println!("last");
    Ok(())
}

async fn single(client: &Client, job: &str, jobs: u64, callers: u64) -> Result<()> {
    let mut tasks = JoinSet::new();
    for caller in 0..callers {
        let own = jobs / callers + u64::from(caller < jobs % callers);
        let (client, job) = (client.clone(), job.to_owned());
        tasks.spawn(async move {
            for n in 0..own {
                one(&client, &job, "default", n)?.await?;
            }
            Result::Ok(())
        });
    }
    while let Some(task) = tasks.join_next().await {
        task??;
    }
    Ok(())
}

async fn paced(client: &Client, job: &str, queue: &str, jobs: u64, every_ns: u64) -> Result<()> {
    let (client, job, queue) = (client.clone(), job.to_owned(), queue.to_owned());
    let runtime = Handle::current();
    // A thread that sleeps is nearer to the moment than tokio's timers of a millisecond.
    let pushes = tokio::task::spawn_blocking(move || {
        let mut pushes = JoinSet::new();
        let start = now_ns();
        for n in 0..jobs {
            pause_until(start + n * every_ns);
            let push = one(&client, &job, &queue, now_ns())?;
            pushes.spawn_on(push, &runtime);
        }
        Result::Ok(pushes)
    });
    let mut pushes = pushes.await??;
    while let Some(push) = pushes.join_next().await {
        push??;
    }
    Ok(())
}

async fn spread(client: &Client, jobs: u64, first_ns: u64) -> Result<()> {
    for n in 0..jobs {
        let due = first_ns + n * 1_000_000;
        late::set()
            .client(client)
            .wait_until(time(due)?)
            .perform_async(due, text())
            .await?;
    }
    Ok(())
}

fn one(client: &Client, job: &str, queue: &str, n: u64) -> Result<Push> {
    macro_rules! push {
        ($($job:ident),*) => {
            match job {
                $(stringify!($job) => $job::set().client(client).queue(queue).perform_async(n, text()),)*
                other => return Err(format!("there is no job {other}").into()),
            }
        };
    }
    Ok(push!(
        no_op,
        wait_1ms,
        wait_10ms,
        burn_100us,
        pick_up,
        pick_up_wait,
        fail_half
    ))
}

async fn bulk(
    client: &Client,
    job: &str,
    queue: &str,
    numbers: std::ops::Range<u64>,
    due_ns: Option<u64>,
) -> Result<()> {
    let due = due_ns.map(time).transpose()?;
    macro_rules! push {
        ($($job:ident),*) => {
            match job {
                $(stringify!($job) => {
                    let mut set = $job::set().client(client).queue(queue);
                    if let Some(due) = due {
                        set = set.wait_until(due);
                    }
                    let text = text();
                    set.perform_bulk(numbers.map(move |n| (n, text.clone()))).await?;
                })*
                other => return Err(format!("there is no job {other}").into()),
            }
        };
    }
    push!(no_op, wait_1ms, wait_10ms, burn_100us, fail_half);
    if due_ns.is_some_and(|due| due < wall_ns()) {
        return Err("the jobs were due before all of them were pushed: give more time".into());
    }
    Ok(())
}

fn time(wall_ns: u64) -> Result<DateTime<chrono::Utc>> {
    Ok(DateTime::from_timestamp_nanos(wall_ns.try_into()?))
}

fn text() -> String {
    "x".repeat(100)
}
