//! The page of metrics. The guide's table of them is compared with it by a test.

use super::text::Text;
use super::{Handle, Seen, process};
use crate::engine::metrics::Total;
use crate::job::payload::Fields;

/// How many queues of a store are shown, the first by name: names are whatever others wrote.
const MOST_QUEUES: usize = 1_000;

pub(super) fn write(handle: &Handle, seen: Option<&Seen>) -> String {
    let mut out = Text::default();
    jobs(&mut out, handle);
    slots(&mut out, handle);
    lags(&mut out, handle);
    trips(&mut out, handle);
    holdings(&mut out, seen);
    out.gauge("sancho_build_info", "1; the label `version` is sancho's")
        .value(&[("version", env!("CARGO_PKG_VERSION"))], 1);
    process::describe(&mut out, handle.observed().start.elapsed());
    out.into_string()
}

/// What became of jobs.
fn jobs(out: &mut Text, handle: &Handle) {
    let observed = handle.observed();
    let totals = observed.metrics.totals();
    let mut each = |name, help, value: fn(&Total) -> u64| {
        let mut family = out.counter(name, help);
        for (class, queue, total) in &totals {
            family.value(&[("class", class), ("queue", queue)], value(total));
        }
    };
    each(
        "sancho_jobs_processed_total",
        "executions that came to an end, failed ones included, by `class` and `queue`",
        |total| total.took.count(),
    );
    each(
        "sancho_jobs_failed_total",
        "executions that failed, by `class` and `queue`",
        |total| total.failed,
    );
    each(
        "sancho_jobs_retried_total",
        "failed executions after which the job waits for another try, by `class` and `queue`",
        |total| total.retried,
    );
    each(
        "sancho_jobs_died_total",
        "jobs that were given up and went to the dead set, by `class` and `queue`",
        |total| total.died,
    );
    each(
        "sancho_jobs_recovered_total",
        "jobs that were taken over from processes that died, or that nobody worked on, by `class` and `queue`",
        |total| total.recovered,
    );
    each(
        "sancho_jobs_fenced_total",
        "late results that were refused, the job having been given to another process, by `class` and `queue`",
        |total| total.fenced,
    );
    let mut took = out.histogram(
        "sancho_job_duration_seconds",
        "how long executions took, failed ones included, by `class` and `queue`",
    );
    for (class, queue, total) in &totals {
        took.times(&[("class", class), ("queue", queue)], &total.took);
    }
    for (name, help, counter) in [
        (
            "sancho_jobs_interrupted_total",
            "executions that a stop cut short: their jobs went back to the head of their queues",
            &observed.interrupted,
        ),
        (
            "sancho_evictions_total",
            "how often this process was taken for dead, and went on under a new id",
            &observed.evicted,
        ),
    ] {
        out.counter(name, help).value(&[], counter.get());
    }
}

/// What runs.
fn slots(out: &mut Text, handle: &Handle) {
    let capsules = handle.states();
    let mut busy = out.gauge("sancho_busy", "jobs that run, by `capsule`");
    for capsule in capsules {
        busy.value(&[("capsule", capsule.name())], capsule.slots.len());
    }
    let mut concurrency = out.gauge(
        "sancho_concurrency",
        "how many jobs may run at once, by `capsule`",
    );
    for capsule in capsules {
        let jobs = capsule.shape().concurrency;
        concurrency.value(&[("capsule", capsule.name())], jobs);
    }
    let stuck: usize = capsules.iter().map(|it| it.slots.counts().1).sum();
    out.gauge(
        "sancho_stuck",
        "jobs that were given up and have not stopped",
    )
    .value(&[], stuck);
    out.gauge(
        "sancho_quiet",
        "1 where it claims nothing more: it was told to be quiet, or it stops",
    )
    .value(&[], u8::from(handle.is_quiet()));
}

/// What came later than it was due.
fn lags(out: &mut Text, handle: &Handle) {
    let observed = handle.observed();
    let mut lag = out.histogram(
        "sancho_schedule_lag_seconds",
        "how much later than they were due jobs came into their queues, by `set` (`schedule`, `retry`)",
    );
    lag.times(&[("set", "schedule")], &observed.schedule_lag.get());
    lag.times(&[("set", "retry")], &observed.retry_lag.get());
    let cron = observed.cron_lag.get();
    out.counter(
        "sancho_cron_ticks_total",
        "ticks of the cron that this process made",
    )
    .value(&[], cron.count());
    out.histogram(
        "sancho_cron_lag_seconds",
        "how late ticks of the cron were made",
    )
    .times(&[], &cron);
}

/// What this process asked of its store.
fn trips(out: &mut Text, handle: &Handle) {
    let trips = handle.away().trips();
    out.counter(
        "sancho_store_errors_total",
        "what the server asked of its store and got no answer to; each is asked again",
    )
    .value(&[], trips.errors.get());
    out.histogram(
        "sancho_store_request_duration_seconds",
        "how long the store took to answer the server; pushes and the program's own requests are not counted",
    )
    .times(&[], &trips.took.get());
}

/// What the store holds: for all processes the same.
fn holdings(out: &mut Text, seen: Option<&Seen>) {
    out.gauge(
        "sancho_store_up",
        "1 where the store answered this scrape, or one within the last second",
    )
    .value(&[], u8::from(seen.is_some()));
    let census = seen.map(|seen| &seen.census);
    let queues = census.map_or(&[][..], |census| &census.queues);
    let shown = &queues[..queues.len().min(MOST_QUEUES)];
    let mut sizes = out.gauge("sancho_queue_jobs", "jobs that wait, by `queue`");
    for queue in shown {
        sizes.value(&[("queue", &queue.name)], queue.size);
    }
    let mut latencies = out.gauge(
        "sancho_queue_latency_seconds",
        "how long the job that runs next has waited, by `queue`",
    );
    for (queue, seen) in shown.iter().zip(std::iter::repeat(seen).map_while(|it| it)) {
        let fields = queue.head.as_deref().and_then(Fields::read);
        let since = fields.and_then(|it| it.enqueued_at().or_else(|| it.created_at()));
        let waited = since.map(|since| seen.now.since(since)).unwrap_or_default();
        latencies.value(&[("queue", &queue.name)], waited.as_secs_f64());
    }
    let mut count = out.gauge(
        "sancho_queues",
        "queues that are known; the first 1,000 by name are shown",
    );
    if census.is_some() {
        count.value(&[], queues.len());
    }
    let mut sets = out.gauge(
        "sancho_set_jobs",
        "jobs in a set, by `set` (`schedule`, `retry`, `dead`)",
    );
    if let Some(census) = census {
        sets.value(&[("set", "schedule")], census.schedule);
        sets.value(&[("set", "retry")], census.retry);
        sets.value(&[("set", "dead")], census.dead);
    }
    let mut claimed = out.gauge(
        "sancho_claimed_jobs",
        "jobs in the hands of processes, of dead ones that were not noticed yet too",
    );
    if let Some(census) = census {
        claimed.value(&[], census.claimed);
    }
}
