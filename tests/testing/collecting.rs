//! What a fake holds.

use std::time::Duration;

use chrono::Utc;
use sancho::client::{ClientMiddleware, ClientNext, NewJob, Stop};
use sancho::job::Retry;
use sancho::testing::{self, TestJobs as _};
use sancho::{Config, JobId, PushError, job};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Address {
    street: String,
    number: u16,
}

#[job(queue = "mailers", retry = 5, tags = ["mail"])]
async fn letter(user_id: i64, to: Address, note: Option<String>) {
    let _ = (user_id, to, note);
}

#[job]
async fn postcard(user_id: i64) {
    let _ = user_id;
}

fn home() -> Address {
    Address {
        street: "Rue é".into(),
        number: 7,
    }
}

#[tokio::test]
async fn a_job_is_seen_with_all_that_its_push_said() {
    let _fake = testing::fake();
    let jid = letter::perform_async(42, home(), None).await.unwrap();
    let jobs = letter::jobs();
    let job = &jobs[0];
    assert_eq!(jobs.len(), 1);
    assert_eq!(job.args(), (42, home(), None));
    assert_eq!(
        (job.jid(), job.class(), job.queue()),
        (&jid, "Letter", "mailers")
    );
    assert_eq!(
        (job.retry(), job.tags()),
        (Some(Retry::Times(5)), vec!["mail".to_owned()])
    );
    assert_eq!(job.at(), None);
    assert!(
        job.text()
            .contains(r#""args":[42,{"street":"Rue é","number":7},null]"#)
    );

    let jid = JobId::from_text("an id of mine");
    letter::set()
        .queue("critical")
        .retry(false)
        .tags(["vip"])
        .jid(jid.clone())
        .wait(Duration::from_secs(60))
        .perform_async(1, home(), Some("hi".into()))
        .await
        .unwrap();
    let jobs = letter::jobs();
    let job = jobs.last().unwrap();
    assert_eq!((job.jid(), job.queue()), (&jid, "critical"));
    assert_eq!(
        (job.retry(), job.tags()),
        (Some(Retry::Never), vec!["vip".to_owned()])
    );
    assert!(job.at().is_some());
}

#[tokio::test]
async fn jobs_stand_in_the_order_in_which_they_were_pushed() {
    let fake = testing::fake();
    postcard::perform_async(1).await.unwrap();
    letter::perform_async(2, home(), None).await.unwrap();
    postcard::perform_in(Duration::from_secs(5), 3)
        .await
        .unwrap();
    sancho::client().push("HardJob", (4, "four")).await.unwrap();
    postcard::perform_bulk([5, 6]).await.unwrap();
    let classes: Vec<_> = fake
        .jobs()
        .iter()
        .map(|job| job.class().to_owned())
        .collect();
    assert_eq!(
        classes,
        [
            "Postcard", "Letter", "Postcard", "HardJob", "Postcard", "Postcard"
        ]
    );
    let args: Vec<_> = postcard::jobs().iter().map(|job| job.args().0).collect();
    assert_eq!(args, [1, 3, 5, 6]);
    assert_eq!(fake.jobs_in("mailers").len(), 1);
    assert_eq!(fake.jobs_in("default").len(), 5);

    postcard::clear();
    assert_eq!(postcard::jobs().len(), 0);
    assert_eq!(fake.jobs().len(), 2);
    fake.clear_all();
    assert!(fake.jobs().is_empty());
}

#[tokio::test]
async fn times_are_counted_from_the_clock_of_the_fake() {
    let fake = testing::fake();
    let hour = Duration::from_secs(3_600);
    let start = fake.clock().now();
    postcard::perform_in(hour, 1).await.unwrap();
    fake.advance(hour * 24);
    postcard::perform_in(hour, 2).await.unwrap();
    postcard::set().wait(hour).perform_async(3).await.unwrap();
    sancho::client()
        .job("Postcard")
        .perform_in(hour, (4,))
        .await
        .unwrap();
    // A time that has passed by the clock of the fake means now.
    postcard::perform_at(Utc::now() + hour, 5).await.unwrap();
    let at: Vec<_> = postcard::jobs().iter().map(|job| job.at()).collect();
    let later = Some(start.after(hour * 25).into());
    assert_eq!(
        at,
        [Some(start.after(hour).into()), later, later, later, None]
    );
}

struct Tagging;

impl ClientMiddleware for Tagging {
    async fn call(&self, mut job: NewJob, next: ClientNext<'_>) -> Result<NewJob, Stop> {
        if job.args == "[0]" {
            return Err(Stop::because("nobody has the id 0"));
        }
        job.tags.push("web".into());
        next.run(job).await
    }
}

#[tokio::test]
async fn client_middleware_runs_and_bad_pushes_are_refused_as_in_production() {
    let fake = testing::fake();
    fake.configure(&Config::new().middleware(Tagging));
    postcard::perform_async(1).await.unwrap();
    assert_eq!(postcard::jobs()[0].tags(), ["web"]);
    let stopped = postcard::perform_async(0).await.unwrap_err();
    assert!(matches!(stopped, PushError::Stopped { .. }), "{stopped}");
    let invalid = postcard::set()
        .queue("")
        .perform_async(1)
        .await
        .unwrap_err();
    assert!(matches!(invalid, PushError::Invalid { .. }), "{invalid}");
    assert_eq!(fake.jobs().len(), 1);
}

#[tokio::test]
async fn init_in_a_test_with_a_fake_gives_it_the_middleware_and_connects_nothing() {
    let fake = testing::fake();
    let nowhere = Config::new()
        .store("redis://127.0.0.1:1/0")
        .middleware(Tagging);
    sancho::init(nowhere.clone()).await.unwrap();
    sancho::init(nowhere).await.unwrap();
    postcard::perform_async(1).await.unwrap();
    assert_eq!(fake.jobs()[0].tags(), ["web"]);
}
