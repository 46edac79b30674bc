//! Every action does what it says, and the store shows it.

use sancho::store::TimedSet;

use crate::browser::{Site, failed, on_every_store};

async fn sizes(site: &Site) -> (u64, u64, u64, u64) {
    let stats = site.api().stats().await.unwrap();
    (stats.enqueued, stats.scheduled, stats.retries, stats.dead)
}

async fn a_queue_is_paused_resumed_and_cleared(site: Site) {
    site.push("mailers", r#"{"class":"A","args":[],"jid":"a1"}"#)
        .await;
    let page = site
        .post_surely("/queues", &[("name", "mailers"), ("do", "pause")])
        .await;
    page.shows("The queue is paused").shows(">paused<");
    assert!(
        site.api()
            .queue("mailers")
            .unwrap()
            .is_paused()
            .await
            .unwrap()
    );
    site.post_surely("/queues", &[("name", "mailers"), ("do", "resume")])
        .await
        .hides(">paused<");
    // Without a yes it asks, and does nothing.
    let page = site
        .post("/queues", &[("name", "mailers"), ("do", "clear")])
        .await;
    page.shows("Delete all 1 job of the queue mailers?")
        .shows("name=\"sure\"");
    assert_eq!(sizes(&site).await.0, 1);
    site.post_surely("/queues", &[("name", "mailers"), ("do", "clear")])
        .await
        .shows("The queue was cleared");
    assert_eq!(sizes(&site).await.0, 0);
}

async fn a_job_of_a_queue_runs_next_or_is_deleted(site: Site) {
    for n in 0..3 {
        site.push(
            "default",
            format!(r#"{{"class":"A","args":[{n}],"jid":"j{n}"}}"#),
        )
        .await;
    }
    let page = site.get("/queue?name=default").await;
    let print = page.values("print").pop().unwrap();
    let form = [
        ("name", "default"),
        ("at", "2"),
        ("jid", "j2"),
        ("print", &*print),
    ];
    let with = |what| [&form[..], &[("do", what)]].concat();
    site.post_surely("/queue", &with("next"))
        .await
        .shows("moved to the head");
    let queue = site.api().queue("default").unwrap();
    let head = queue
        .page(sancho::store::Order::Forward, 0, 1)
        .await
        .unwrap();
    assert_eq!(head.jobs[0].jid().as_str(), "j2");
    // It is found, though it has moved.
    site.post_surely("/queue", &with("delete"))
        .await
        .shows("1 job deleted");
    assert_eq!(queue.size().await.unwrap(), 2);
    site.post_surely("/queue", &with("delete"))
        .await
        .shows("gone already");
    let wrong = [
        ("name", "default"),
        ("at", "0"),
        ("jid", "j0"),
        ("print", "0"),
        ("do", "delete"),
    ];
    site.post_surely("/queue", &wrong)
        .await
        .shows("gone already");
    assert_eq!(queue.size().await.unwrap(), 2);
}

async fn selected_retries_are_acted_on(site: Site) {
    for n in 0..4 {
        site.put(
            TimedSet::Retry,
            10 + n,
            failed(&format!("r{n}"), "ChargeCard", "declined"),
        )
        .await;
    }
    let ids = site.get("/retries").await.values("id");
    assert_eq!(ids.len(), 4);
    let page = site
        .post_surely(
            "/retries",
            &[("id", &ids[0]), ("id", &ids[1]), ("do", "retry")],
        )
        .await;
    page.shows("2 jobs put into the queue");
    assert_eq!(sizes(&site).await, (2, 0, 2, 0));
    let page = site
        .post("/retries", &[("id", &ids[2]), ("do", "kill")])
        .await;
    page.shows("Kill: 1 job of Retries?");
    assert_eq!(sizes(&site).await, (2, 0, 2, 0));
    site.post_surely("/retries", &[("id", &ids[2]), ("do", "kill")])
        .await
        .shows("moved to the dead set");
    assert_eq!(sizes(&site).await, (2, 0, 1, 1));
    site.post_surely("/retries", &[("id", &ids[3]), ("do", "delete")])
        .await
        .shows("1 job deleted");
    // The same form again does nothing more.
    site.post_surely("/retries", &[("id", &ids[3]), ("do", "delete")])
        .await
        .shows("gone already");
    assert_eq!(sizes(&site).await, (2, 0, 0, 1));
    site.post_surely("/retries", &[("do", "delete")])
        .await
        .shows("Nothing was selected");
}

async fn a_retry_is_moved_to_another_time(site: Site) {
    site.put(TimedSet::Retry, 10, failed("r1", "ChargeCard", "declined"))
        .await;
    let id = site.get("/retries").await.values("id").remove(0);
    let form = [("id", &*id), ("minutes", "90"), ("do", "reschedule")];
    site.post_surely("/retries", &form)
        .await
        .shows("moved to another time")
        .shows("in 90 min");
    for minutes in ["", "-1", "999999999"] {
        let form = [("id", &*id), ("minutes", minutes), ("do", "reschedule")];
        site.post("/retries", &form).await.is(422);
    }
}

async fn scheduled_jobs_run_now(site: Site) {
    site.put(
        TimedSet::Schedule,
        600,
        r#"{"class":"A","args":[],"jid":"s1","queue":"low"}"#,
    )
    .await;
    let id = site.get("/scheduled").await.values("id").remove(0);
    site.post_surely("/scheduled", &[("id", &id), ("do", "retry")])
        .await
        .shows("1 job put into the queue");
    assert_eq!(sizes(&site).await, (1, 0, 0, 0));
}

async fn all_of_a_set_or_all_that_contain_a_text_are_acted_on(site: Site) {
    for n in 0..250 {
        let class = if n % 2 == 0 {
            "ChargeCard"
        } else {
            "SyncStock"
        };
        site.put(
            TimedSet::Dead,
            n,
            failed(&format!("d{n}"), class, "declined"),
        )
        .await;
    }
    let page = site
        .post(
            "/dead",
            &[("all", "yes"), ("q", "SyncStock"), ("do", "delete")],
        )
        .await;
    page.shows("all jobs that contain “SyncStock” of Dead?");
    let page = site
        .post_surely(
            "/dead",
            &[("all", "yes"), ("q", "SyncStock"), ("do", "delete")],
        )
        .await;
    until_ended(&site, &page.text).await;
    assert_eq!(sizes(&site).await, (0, 0, 0, 125));
    let page = site
        .post_surely("/dead", &[("all", "yes"), ("do", "retry")])
        .await;
    until_ended(&site, &page.text).await;
    assert_eq!(sizes(&site).await, (125, 0, 0, 0));
}

async fn a_kind_of_failures_is_retried_or_discarded(site: Site) {
    for n in 0..5 {
        site.put(
            TimedSet::Retry,
            n,
            failed(&format!("r{n}"), "ChargeCard", &format!("order 1{n}")),
        )
        .await;
    }
    site.put(TimedSet::Dead, 9, failed("d1", "ChargeCard", "order 99"))
        .await;
    site.put(TimedSet::Dead, 9, failed("d2", "SyncStock", "timed out"))
        .await;
    let groups = site.get("/errors").await.values("group");
    site.post("/errors", &[("group", &groups[0]), ("do", "retry")])
        .await
        .shows("Retry all jobs of this kind?");
    assert_eq!(sizes(&site).await, (0, 0, 5, 2));
    let page = site
        .post_surely("/errors", &[("group", &groups[0]), ("do", "retry")])
        .await;
    until_ended(&site, &page.text).await;
    assert_eq!(sizes(&site).await, (6, 0, 0, 1));
    let page = site
        .post_surely("/errors", &[("group", &groups[1]), ("do", "delete")])
        .await;
    until_ended(&site, &page.text).await;
    assert_eq!(sizes(&site).await, (6, 0, 0, 0));
}

async fn processes_are_told(site: Site) {
    site.process("vm:7:abc", "\"default\"", false, None).await;
    site.process("app:9:def", "\"default\"", true, None).await;
    let said = |identity: &'static str| {
        let key = sancho::store::keys::signals(identity);
        let store = site.fixture.handle();
        async move { store.list(&key).await.unwrap() }
    };
    site.post_surely("/busy", &[("process", "vm:7:abc"), ("do", "quiet")])
        .await
        .shows("1 process told to take no more jobs");
    site.post_surely("/busy", &[("process", "vm:7:abc"), ("do", "dump")])
        .await
        .is(200);
    assert_eq!(said("vm:7:abc").await, ["TSTP", "TTIN"]);
    site.post("/busy", &[("do", "stop")])
        .await
        .shows("Stop all processes?");
    site.post_surely("/busy", &[("do", "stop")])
        .await
        .shows("1 process told to stop");
    assert_eq!(said("vm:7:abc").await.len(), 3);
    assert!(said("app:9:def").await.is_empty());
    site.post(
        "/busy",
        &[("process", "app:9:def"), ("do", "stop"), ("sure", "yes")],
    )
    .await
    .is(422);
    site.post(
        "/busy",
        &[("process", "nobody"), ("do", "stop"), ("sure", "yes")],
    )
    .await
    .is(404);
    let cancel = [("jid", "b7"), ("do", "cancel")];
    site.post("/busy", &cancel)
        .await
        .shows("Tell this job to end?");
    site.post_surely("/busy", &cancel)
        .await
        .shows("neither waits nor runs");
    site.push("default", r#"{"class":"A","args":[],"jid":"b7"}"#)
        .await;
    site.post_surely("/busy", &cancel)
        .await
        .shows("it will not run");
    assert_eq!(sizes(&site).await.0, 0);
}

/// Waits for the end of an action on many jobs, whose page this is.
async fn until_ended(site: &Site, page: &str) {
    let mut text = page.to_owned();
    let asked = async {
        for id in 1.. {
            let answer = site.get(&format!("/api/sweep?id={id}")).await;
            if answer.status == 404 {
                return;
            }
            loop {
                text = site.get(&format!("/api/sweep?id={id}")).await.text;
                if text.contains("\"ended\":true") {
                    break;
                }
                tokio::task::yield_now().await;
            }
        }
    };
    let ended = tokio::time::timeout(std::time::Duration::from_secs(20), asked).await;
    assert!(ended.is_ok(), "it never ended: {text}");
}

on_every_store! {
    a_queue_is_paused_resumed_and_cleared
    a_job_of_a_queue_runs_next_or_is_deleted
    selected_retries_are_acted_on
    a_retry_is_moved_to_another_time
    scheduled_jobs_run_now
    all_of_a_set_or_all_that_contain_a_text_are_acted_on
    a_kind_of_failures_is_retried_or_discarded
    processes_are_told
}
