//! Every page shows what the store has, and says so where it has nothing.

use sancho::store::{Effect, Stat, TimedSet};
use sancho_tests::Kind;
use sancho_web::Options;

use crate::browser::{Site, failed, on_every_store};

const PAGES: [(&str, &str); 10] = [
    ("/", "No queues yet"),
    ("/busy", "No process shows itself"),
    ("/queues", "No queues yet"),
    ("/scheduled", "Nothing is scheduled"),
    ("/retries", "Nothing to retry"),
    ("/dead", "Nothing died"),
    ("/errors", "Nothing fails"),
    ("/metrics", "Nothing ran"),
    ("/cron", "Nothing comes by itself"),
    ("/search", "What can be written"),
];

async fn empty_places_say_what_would_be_there(site: Site) {
    for (path, text) in PAGES {
        site.get(path).await.shows(text).shows("<main");
    }
}

async fn the_dashboard_counts(site: Site) {
    site.fixture
        .apply(vec![
            Effect::Count(Stat::Processed, 12_345),
            Effect::Count(Stat::Failed, 67),
        ])
        .await;
    site.push(
        "mailers",
        r#"{"class":"WelcomeEmail","args":[1],"jid":"a1"}"#,
    )
    .await;
    let page = site.get("/").await;
    page.shows("12,345")
        .shows("<strong class=\"\">67</strong>")
        .shows("mailers");
    page.shows("Nobody works.");
    for days in [7, 30, 90, 180] {
        site.get(&format!("/?days={days}"))
            .await
            .shows("12,345 processed, 67 failed");
    }
}

async fn a_queue_that_no_worker_serves_is_told(site: Site) {
    site.process("vm:7:abc", "\"default\"", false, None).await;
    site.push("default", r#"{"class":"A","args":[],"jid":"a1"}"#)
        .await;
    site.get("/queues")
        .await
        .hides("no worker serves this queue");
    site.push("lost", r#"{"class":"A","args":[],"jid":"a2"}"#)
        .await;
    site.until_shows("/queues", "no worker serves this queue")
        .await;
    site.until_shows("/", "No worker serves 1 queue").await;
}

async fn processes_and_what_they_run_are_shown(site: Site) {
    let job = r#"{"class":"WelcomeEmail","args":[42,"é"],"jid":"b7","tags":["vip"]}"#;
    site.process("vm:7:abc", "\"critical\",\"default\"", false, Some(job))
        .await;
    let page = site.get("/busy").await;
    page.shows("vm:7:abc")
        .shows("WelcomeEmail")
        .shows("42, &quot;é&quot;")
        .shows(">vip<")
        .shows("critical");
    site.get(&format!("/{}", page.link("jid=b7")))
        .await
        .shows("running")
        .shows("WelcomeEmail");
}

async fn how_far_running_jobs_have_come_is_shown(site: Site) {
    use sancho::store::keys;
    let job = r#"{"class":"ImportCatalog","args":[],"jid":"b7"}"#;
    site.process("vm:7:abc", "\"default\"", false, Some(job))
        .await;
    site.get("/busy").await.hides("class=\"progress\"");
    let hash = |key, fields: &[(&str, &str)]| Effect::SetFields {
        key,
        fields: fields
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).to_owned().into()))
            .collect(),
        ttl: None,
    };
    let stuck = serde_json::json!({"queue": "default", "payload": job, "run_at": 1, "stuck": true});
    let fields = [
        ("ex", "1"),
        ("c", "null"),
        ("rt", "1"),
        ("sancho_done", "250"),
        ("sancho_total", "1000"),
        ("cancelled", "1795469304"),
    ];
    site.fixture
        .apply(vec![
            hash(keys::iteration("b7"), &fields),
            hash(keys::work("vm:7:abc"), &[("t1", &stuck.to_string())]),
        ])
        .await;
    site.get("/busy")
        .await
        .shows("title=\"250 of 1,000\"")
        .shows("25 %")
        .shows(">stuck<")
        .shows(">told to end<");
    let work = site.get("/api/work").await.json();
    assert_eq!(work["work"][0]["stuck"], true);
    assert_eq!(work["work"][0]["progress"]["done"], 250);
}

async fn a_queue_is_paged(site: Site) {
    for n in 0..30 {
        site.push(
            "default",
            format!(r#"{{"class":"Job{n:02}","args":[{n}],"jid":"j{n}"}}"#),
        )
        .await;
    }
    let first = site.get("/queue?name=default").await;
    first
        .shows("30 jobs wait")
        .shows(">Job00<")
        .shows(">Job24<")
        .hides(">Job25<")
        .shows("1–25 of 30");
    let second = site.get(&format!("/{}", first.link("from=25"))).await;
    second
        .shows(">Job25<")
        .shows(">Job29<")
        .hides(">Job24<")
        .shows("26–30 of 30");
    site.get("/queue?name=default&from=999999")
        .await
        .shows("Nothing here any more");
    site.get("/queue?name=default&order=last")
        .await
        .shows(">Job29<")
        .hides(">Job00<");
    site.get("/queue?name=default&rows=50")
        .await
        .shows(">Job29<");
}

async fn sets_are_shown_filtered_and_led_to_their_jobs(site: Site) {
    site.put(
        TimedSet::Retry,
        60,
        failed("aa11", "ChargeCard", "declined for order 17"),
    )
    .await;
    site.put(
        TimedSet::Retry,
        90,
        failed("bb22", "SyncStock", "timed out"),
    )
    .await;
    let page = site.get("/retries").await;
    page.shows("2 jobs")
        .shows("ChargeCard")
        .shows("declined for order 17")
        .shows("in 60 s");
    let page = site.get("/retries?q=SyncStock").await;
    page.shows("SyncStock")
        .hides("ChargeCard")
        .shows("1 job in about 2 of 2 looked at");
    site.get("/retries?q=nowhere")
        .await
        .shows("Nothing found")
        .shows("The whole set was looked at");
    let page = site.get(&format!("/{}", page.link("bb22"))).await;
    page.shows("app::CardError")
        .shows("timed out")
        .shows("ada@example.com")
        .shows("is tried again");
}

async fn failures_are_gathered(site: Site) {
    for n in 0..3 {
        let message = format!("declined for order {}", 100 + n);
        site.put(
            TimedSet::Retry,
            n,
            failed(&format!("r{n}"), "ChargeCard", &message),
        )
        .await;
    }
    site.put(
        TimedSet::Dead,
        5,
        failed("d1", "ChargeCard", "declined for order 999"),
    )
    .await;
    site.put(TimedSet::Dead, 6, failed("d2", "SyncStock", "timed out"))
        .await;
    let page = site.get("/errors").await;
    page.shows("2 kinds of failures")
        .shows("declined for order …")
        .shows("<strong>4</strong>");
    assert_eq!(page.values("group").len(), 2);
}

async fn a_job_is_found_by_its_id(site: Site) {
    site.put(TimedSet::Dead, 5, failed("dead1", "A", "x")).await;
    site.push("mailers", r#"{"class":"B","args":[],"jid":"wait1"}"#)
        .await;
    for (jid, to) in [("dead1", "in=dead"), ("wait1", "in=queue")] {
        let answer = site.get(&format!("/find?jid={jid}")).await;
        answer.is(303);
        assert!(answer.headers["location"].to_str().unwrap().contains(to));
    }
    site.get("/find?jid=nobody")
        .await
        .shows("No job has this id");
    site.get("/find").await.is(422);
}

async fn metrics_are_shown_by_class(site: Site) {
    use sancho::store::keys;
    let minute: chrono::DateTime<chrono::Utc> = site.now().into();
    let counts = |fields: &[(&str, u64)]| Effect::AddFields {
        key: keys::minute(minute),
        fields: fields
            .iter()
            .map(|(name, n)| ((*name).into(), *n))
            .collect(),
        ttl: std::time::Duration::from_secs(3_600),
    };
    let observe = Effect::Observe {
        key: keys::histogram("WelcomeEmail", minute),
        counts: vec![(2, 7)],
        ttl: std::time::Duration::from_secs(3_600),
    };
    site.fixture
        .apply(vec![
            counts(&[
                ("WelcomeEmail|p", 9),
                ("WelcomeEmail|f", 2),
                ("WelcomeEmail|ms", 280),
            ]),
            observe,
        ])
        .await;
    site.api().deploys().mark("v42 <b>").await.unwrap();
    let page = site.get("/metrics").await;
    page.shows("WelcomeEmail")
        .shows("40.0 ms")
        .shows("v42 &lt;b&gt;");
    let page = site.get("/metrics?class=WelcomeEmail").await;
    page.shows("9 executed · 2 failed").shows("&lt; 45 ms");
    for hours in [2, 4, 8, 24, 72, 5] {
        site.get(&format!("/metrics?hours={hours}")).await.is(200);
    }
    site.get("/metrics?q=nothing").await.shows("Nothing ran");
}

#[tokio::test]
async fn arguments_are_masked_by_name() {
    let options = Options::new().trust_every_request().mask(["token"]);
    let site = Site::with(Kind::Memory, options).await;
    let job = r#"{"class":"A","args":[{"token":"s3cret","id":7},[{"TOKEN":"s3cret"}]],"jid":"a1"}"#;
    site.push("default", job).await;
    site.push("default", "{bad s3cret").await;
    let page = site.get("/queue?name=default").await;
    page.shows("[masked]")
        .hides("s3cret")
        .shows("&quot;id&quot;: 7");
    let link = page.link("jid=a1");
    site.get(&format!("/{link}"))
        .await
        .shows("[masked]")
        .hides("s3cret");
    let payload = site
        .get(&format!("/{}", link.replace("job?", "payload?")))
        .await;
    payload.is(200).hides("s3cret");
    assert_eq!(payload.json()["args"][0]["id"], 7);
    site.get("/api/queue?name=default")
        .await
        .is(200)
        .hides("s3cret");
    let bad = page.link("print=");
    site.get(&format!("/{bad}")).await.is(200).hides("s3cret");
}

on_every_store! {
    empty_places_say_what_would_be_there
    the_dashboard_counts
    a_queue_that_no_worker_serves_is_told
    processes_and_what_they_run_are_shown
    how_far_running_jobs_have_come_is_shown
    a_queue_is_paged
    sets_are_shown_filtered_and_led_to_their_jobs
    failures_are_gathered
    a_job_is_found_by_its_id
    metrics_are_shown_by_class
}
