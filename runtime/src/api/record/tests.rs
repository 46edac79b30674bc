use super::*;

const FAILED: &str = r#"{"retry":5,"queue":"critical","backtrace":3,"tags":["t1"],"args":[1],"class":"FailJob","jid":"80aa","created_at":1795469303553,"enqueued_at":1795469303553,"error_message":"boom é","error_class":"ArgumentError","failed_at":1795469303994,"retry_count":0}"#;

fn ms(millis: i64) -> Option<Timestamp> {
    Some(Timestamp::from_millis(millis))
}

#[test]
fn a_failed_job_of_8_is_read() {
    let job = JobRecord::read(FAILED);
    assert_eq!((job.class(), job.queue()), ("FailJob", "critical"));
    assert_eq!(job.jid().as_str(), "80aa");
    assert_eq!(job.tags(), ["t1"]);
    assert_eq!(job.created_at(), ms(1_795_469_303_553));
    assert_eq!(job.failed_at(), ms(1_795_469_303_994));
    assert_eq!((job.retried_at(), job.discarded_at()), (None, None));
    assert_eq!(job.retry(), Some(Retry::Times(5)));
    assert_eq!(job.retry_count(), Some(0));
    assert_eq!(job.error_class().unwrap(), "ArgumentError");
    assert_eq!(job.error_message().unwrap(), "boom é");
    assert_eq!(job.error_backtrace(), None);
    assert_eq!(job.problem(), None);
    assert_eq!(job.extras().count(), 0);
    let later = Timestamp::from_millis(1_795_469_305_053);
    assert_eq!(job.latency(later), Some(Duration::from_millis(1_500)));
}

#[test]
fn times_of_7_are_seconds_and_the_push_stands_in_for_the_queue() {
    let job = JobRecord::read(r#"{"class":"A","args":[],"created_at":1795469481.5}"#);
    assert_eq!(job.created_at(), ms(1_795_469_481_500));
    let later = Timestamp::from_millis(1_795_469_482_500);
    assert_eq!(job.latency(later), Some(Duration::from_secs(1)));
    assert_eq!(JobRecord::read("{}").latency(later), None);
}

#[test]
fn a_backtrace_is_unpacked_whether_it_has_newlines_or_not() {
    let packed = crate::job::payload::write_backtrace(&["app.rb:1", "lib.rb:2"]);
    let (first, rest) = packed.split_at(9);
    for written in [packed.clone(), format!("{first}\\n{rest}\\n")] {
        let job = JobRecord::read(format!("{{\"error_backtrace\":\"{written}\"}}"));
        assert_eq!(job.error_backtrace().unwrap(), ["app.rb:1", "lib.rb:2"]);
    }
    let plain = JobRecord::read(r#"{"error_backtrace":["a"]}"#);
    assert_eq!(plain.error_backtrace().unwrap(), ["a"]);
    assert_eq!(
        JobRecord::read(r#"{"error_backtrace":"x"}"#).error_backtrace(),
        None
    );
}

#[test]
fn what_nobody_knows_is_extra_and_keeps_its_text() {
    let job = JobRecord::read(
        r#"{"class":"A","args":[],"n":12345678901234567890,"cattr":{"u":1},"cattr_1":{},"f":1.0e+20}"#,
    );
    let extras: Vec<_> = job.extras().collect();
    assert_eq!(extras, [("n", "12345678901234567890"), ("f", "1.0e+20")]);
    let context: Vec<_> = job.context().collect();
    assert_eq!(context, [("cattr", r#"{"u":1}"#), ("cattr_1", "{}")]);
    assert_eq!(job.fields().count(), 6);
}

#[test]
fn the_last_of_equal_fields_counts() {
    let job = JobRecord::read(r#"{"class":"A","cl\u0061ss":"B","args":[]}"#);
    assert_eq!((job.class(), job.field("class")), ("B", Some("\"B\"")));
}

#[test]
fn what_is_no_job_shows_its_text() {
    let nested = format!("{{\"args\":{}1", "[".repeat(100_000));
    for bad in [
        "{bad json",
        "[]",
        "",
        "{\"class\":1}",
        "{\"class\":\"A\",\"args\":{}}",
        &nested,
    ] {
        let job = JobRecord::read(bad.to_owned());
        assert!(job.problem().is_some(), "{bad}");
        assert_eq!(job.text(), bad);
        assert!(job.jid().as_str().is_empty());
        assert_eq!(job.display_args(), Vec::<String>::new(), "{bad}");
        assert!(job.checked().is_err());
    }
    let bytes = JobRecord::read(Bytes::from_static(b"{\"class\":\"\xff\"}"));
    assert_eq!(bytes.text(), "{\"class\":\"\u{fffd}\"}");
    assert_eq!(bytes.class(), "");
}

#[test]
fn the_queue_that_it_stands_in_counts_more_than_what_it_says() {
    let payload = Bytes::from_static(br#"{"queue":"said"}"#);
    assert_eq!(JobRecord::new(payload.clone(), None).queue(), "said");
    assert_eq!(JobRecord::new(payload, Some("stands")).queue(), "stands");
}
