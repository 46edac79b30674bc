//! The assertions, and what they say.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use chrono::Utc;
use sancho::testing::{self, assert_enqueued, refute_enqueued};

mod mail {
    use sancho::job;

    #[job(queue = "mailers")]
    pub(super) async fn greeting(user_id: i64, text: String) {
        let _ = (user_id, text);
    }
}

use mail::greeting;

#[sancho::job]
async fn digest() {}

const HOUR: Duration = Duration::from_secs(3_600);

fn message(assertion: impl FnOnce()) -> String {
    let panicked = catch_unwind(AssertUnwindSafe(assertion)).unwrap_err();
    match panicked.downcast::<String>() {
        Ok(text) => *text,
        Err(panicked) => (*panicked.downcast::<&str>().unwrap()).to_owned(),
    }
}

#[tokio::test]
async fn what_is_enqueued_is_found() {
    let fake = testing::fake();
    refute_enqueued!();
    greeting::perform_async(42, "hi".into()).await.unwrap();
    greeting::set()
        .queue("slow")
        .perform_in(HOUR, 7, "tea".into())
        .await
        .unwrap();
    assert_enqueued!(greeting(42, "hi".into()));
    assert_enqueued!(greeting(42, "hi".to_owned(),), queue = "mailers");
    assert_enqueued!(mail::greeting(7, "tea".into()), queue = "slow".to_owned(), in = "1h");
    assert_enqueued!(self::mail::greeting(7, "tea".into()), in = HOUR);
    assert_enqueued!(crate::assertions::mail::greeting(7, "tea".into()), in = 3_590, within = "10s");
    assert_enqueued!(
        greeting(7, "tea".into()),
        at = Utc::now() + HOUR,
        within = "1m",
    );
    assert_enqueued!(greeting, count = 2);
    assert_enqueued!(greeting(42, "hi".into()), count = 1, in = Duration::ZERO);
    assert_enqueued!(digest, count = 0);
    refute_enqueued!(digest());
    refute_enqueued!(greeting(8, "hi".into()));
    refute_enqueued!(greeting, queue = "default");
    fake.advance(HOUR / 2);
    assert_enqueued!(greeting(7, "tea".into()), in = "30m");
    refute_enqueued!(greeting(7, "tea".into()), in = "1h");
}

#[tokio::test]
async fn a_failure_shows_what_is_enqueued_and_how_it_differs() {
    let _fake = testing::fake();
    let nothing = message(|| assert_enqueued!(greeting(42, "hi".into()), queue = "mailers"));
    assert_eq!(
        nothing,
        "greeting(42,\"hi\") in the queue \"mailers\" is not enqueued\nnothing is enqueued"
    );
    greeting::perform_async(7, "hi".into()).await.unwrap();
    greeting::set()
        .queue("slow")
        .perform_in(HOUR / 2, 42, "hi".into())
        .await
        .unwrap();
    digest::perform_async().await.unwrap();
    let message_of = message(|| {
        assert_enqueued!(greeting(42, "hi".into()), queue = "mailers", in = "1h");
    });
    assert_eq!(
        message_of,
        "greeting(42,\"hi\") in the queue \"mailers\" in 1h (give or take 10s) is not enqueued\n\
         enqueued:\n  \
         Greeting(7,\"hi\") in the queue \"mailers\", now: its arguments are [7,\"hi\"], not [42,\"hi\"]; it runs 1h too early\n  \
         Greeting(42,\"hi\") in the queue \"slow\", in 30m: its queue is \"slow\", not \"mailers\"; it runs 30m too early\n  \
         Digest() in the queue \"default\", now: another job"
    );
    let counted = message(|| assert_enqueued!(greeting, count = 3));
    assert!(
        counted.starts_with("greeting(..) is enqueued 2 times, not 3\nenqueued:\n"),
        "{counted}"
    );
    let refuted = message(|| refute_enqueued!(greeting(7, "hi".into())));
    assert!(
        refuted.starts_with("greeting(7,\"hi\") is enqueued, and should not be\n"),
        "{refuted}"
    );
    assert!(refuted.contains("now: as described"), "{refuted}");
    let any = message(|| refute_enqueued!());
    assert!(
        any.starts_with("a job is enqueued, and should not be\n"),
        "{any}"
    );
}

#[tokio::test]
async fn a_list_of_many_is_cut() {
    let _fake = testing::fake();
    greeting::perform_bulk((0..25).map(|n| (n, "hi".to_owned())))
        .await
        .unwrap();
    let text = message(|| assert_enqueued!(greeting(99, "hi".into())));
    assert!(text.ends_with("\n  and 5 more"), "{text}");
}

#[test]
fn an_assertion_without_a_fake_says_what_to_write() {
    let text = message(|| assert_enqueued!(greeting(1, "hi".into())));
    assert!(
        text.contains("let fake = sancho::testing::fake();"),
        "{text}"
    );
}

#[tokio::test]
async fn a_time_span_that_is_none_is_named() {
    let _fake = testing::fake();
    let text = message(|| assert_enqueued!(greeting, in = "1 hour"));
    assert!(text.starts_with("\"1 hour\" is no time span"), "{text}");
}
