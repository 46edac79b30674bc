//! Payloads that a running Sidekiq wrote, read.

use bytes::Bytes;
use proptest::prelude::*;

use super::{Edit, Fields, Record, nesting, read_backtrace, splice};
use crate::job::{Backtrace, Retry, Timestamp};

fn read(payload: &'static str) -> (Record, Fields<'static>) {
    let record = Record::parse(Bytes::from_static(payload.as_bytes())).unwrap();
    (record, Fields::read(payload.as_bytes()).unwrap())
}

fn millis(millis: i64) -> Option<Timestamp> {
    Some(Timestamp::from_millis(millis))
}

#[test]
fn a_job_of_version_8_in_its_queue() {
    let (record, fields) = read(
        r#"{"retry":true,"queue":"default","args":[1,"two",{"k":[null,true,1.5,"é/…<>"]}],"class":"PlainJob","jid":"d3ab86bad86a8fc45845636e","created_at":1795469264488,"enqueued_at":1795469264488}"#,
    );
    assert_eq!(record.class(), "PlainJob");
    assert_eq!(
        record.args(),
        r#"[1,"two",{"k":[null,true,1.5,"é/…<>"]}]"#.as_bytes()
    );
    assert_eq!(record.jid().as_str(), "d3ab86bad86a8fc45845636e");
    assert_eq!(record.retry_count(), None);
    assert_eq!(fields.retry(), Some(Retry::Default));
    assert_eq!(fields.queue().unwrap(), "default");
    assert_eq!(fields.created_at(), millis(1_795_469_264_488));
    assert_eq!(fields.enqueued_at(), millis(1_795_469_264_488));
    assert_eq!((fields.failed_at(), fields.retried_at()), (None, None));
    assert_eq!(fields.backtrace(), Backtrace::None);
    assert!(fields.is_kept_when_dead());
}

#[test]
fn a_job_with_options() {
    let (record, fields) = read(
        r#"{"retry":5,"queue":"critical","tags":["a","b"],"backtrace":2,"args":[1],"class":"HardJob","jid":"5575ed27c960c219b486365d","created_at":1795469264489,"enqueued_at":1795469264489}"#,
    );
    assert_eq!(record.tags(), ["a", "b"]);
    assert_eq!(fields.tags(), ["a", "b"]);
    assert_eq!(fields.retry(), Some(Retry::Times(5)));
    assert_eq!(fields.backtrace(), Backtrace::Lines(2));
}

#[test]
fn a_job_of_version_7() {
    let (record, fields) = read(
        r#"{"retry":true,"queue":"default","args":[1,1.0,1.0e+20,12345678901234567890,"日本"],"class":"PlainJob","jid":"63c7","created_at":1795469481.0779636,"enqueued_at":1795469481.0780618}"#,
    );
    assert_eq!(
        record.args(),
        r#"[1,1.0,1.0e+20,12345678901234567890,"日本"]"#.as_bytes()
    );
    let micros = |at: Option<Timestamp>| at.unwrap().as_micros();
    assert_eq!(micros(fields.created_at()), 1_795_469_481_077_964);
    assert_eq!(micros(fields.enqueued_at()), 1_795_469_481_078_062);
}

#[test]
fn a_job_in_the_schedule() {
    let (record, fields) = read(
        r#"{"retry":true,"queue":"default","class":"PlainJob","args":["later"],"jid":"7e40","created_at":1795469264490}"#,
    );
    assert_eq!(record.args(), br#"["later"]"#.as_slice());
    assert_eq!(fields.enqueued_at(), None);
}

#[test]
fn a_job_in_the_retry_set() {
    let (record, fields) = read(
        r#"{"retry":5,"queue":"critical","backtrace":3,"tags":["t1"],"args":[1],"class":"FailJob","jid":"80aa","created_at":1795469303553,"enqueued_at":1795469303553,"error_message":"boom é","error_class":"ArgumentError","failed_at":1795469303994,"retry_count":0,"error_backtrace":"eJyLVkosKNArSrIyVNKBMY0QTGOlWACwtAnq"}"#,
    );
    assert_eq!(record.retry_count(), Some(0));
    assert_eq!(fields.retry_count(), Some(0));
    assert_eq!(fields.failed_at(), millis(1_795_469_303_994));
    assert_eq!(fields.error_message().unwrap(), "boom é");
    assert_eq!(fields.error_class().unwrap(), "ArgumentError");
    assert_eq!(
        fields.error_backtrace().unwrap(),
        ["app.rb:1", "app.rb:2", "app.rb:3"]
    );
}

#[test]
fn a_job_that_failed_twice() {
    let (record, fields) = read(
        r#"{"retry":true,"queue":"default","args":[],"class":"FailJob","jid":"80aa","created_at":1795469303553,"enqueued_at":1795469324737,"error_message":"rf","error_class":"RuntimeError","failed_at":1795469304016,"retry_count":1,"retried_at":1795469324738}"#,
    );
    assert_eq!(record.retry_count(), Some(1));
    assert_eq!(fields.retried_at(), millis(1_795_469_324_738));
}

#[test]
fn a_job_in_the_dead_set() {
    let (_, fields) = read(
        r#"{"retry":0,"queue":"default","args":[],"class":"DeadJob","jid":"eb8e","created_at":1795469303900,"enqueued_at":1795469303901,"error_message":"dead now","error_class":"RuntimeError","failed_at":1795469304010,"retry_count":0}"#,
    );
    assert_eq!(fields.retry(), Some(Retry::Times(0)));
    assert_eq!(fields.class().unwrap(), "DeadJob");
    assert_eq!(fields.args(), Some("[]"));
    assert_eq!(fields.jid().unwrap(), "eb8e");
}

#[test]
fn bad_json_in_the_dead_set() {
    let error = Record::parse(Bytes::from_static(b"{bad json")).unwrap_err();
    assert!(!error.is_object());
    assert!(Fields::read(b"{bad json").is_none());
}

#[test]
fn a_job_of_activejob() {
    let (record, fields) = read(
        r#"{"retry":true,"queue":"mailers","wrapped":"ActionMailer::MailDeliveryJob","args":[{"job_class":"ActionMailer::MailDeliveryJob","job_id":"x","retry":false}],"class":"Sidekiq::ActiveJob::Wrapper","bid":"vTF1-9QvLPnREQ","display_class":"Mail","discarded_at":1795469303901,"jid":"1"}"#,
    );
    assert_eq!(record.class(), "Sidekiq::ActiveJob::Wrapper");
    assert_eq!(fields.retry(), Some(Retry::Default));
    assert_eq!(fields.wrapped().unwrap(), "ActionMailer::MailDeliveryJob");
    assert_eq!(fields.bid().unwrap(), "vTF1-9QvLPnREQ");
    assert_eq!(fields.display_class().unwrap(), "Mail");
    assert_eq!(fields.discarded_at(), millis(1_795_469_303_901));
}

/// Text that is nearly JSON.
fn nearly_json() -> impl Strategy<Value = Vec<u8>> {
    let token = proptest::sample::select(vec![
        &b"{"[..],
        &b"}"[..],
        &b"["[..],
        &b"]"[..],
        &b","[..],
        &b":"[..],
        &b"\""[..],
        &b"\\"[..],
        &b"\\u0061"[..],
        &b"\\ud800"[..],
        &b"\"class\":\"A\","[..],
        &b"\"args\":[],"[..],
        &b"\"jid\":null,"[..],
        &b"\"retry_count\":1,"[..],
        &b"\"a\":"[..],
        &b"1e5"[..],
        &b"-"[..],
        &b"null"[..],
        &b" "[..],
        &b"\x01"[..],
        &b"\xff"[..],
        "é".as_bytes(),
    ]);
    let inner = proptest::collection::vec(token, 0..12).prop_map(|tokens| tokens.concat());
    // Half of them begin and end as a job does.
    (any::<bool>(), inner).prop_map(|(job, inner)| {
        if job {
            [&b"{\"class\":\"A\",\"args\":[],\"x\":1"[..], &inner, b"}"].concat()
        } else {
            inner
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_096))]

    /// A job whose fields could not be set would be tried again for ever.
    #[test]
    fn what_is_a_job_can_be_edited(payload in nearly_json()) {
        let edits = [Edit::integer("retry_count", 7), Edit::Remove("jid")];
        let edited = splice(&payload, &edits);
        let _ = nesting(&payload);
        if let Ok(record) = Record::parse(payload.clone().into()) {
            let edited = edited.expect("it can be edited");
            let again = Record::parse(edited.into()).expect("it is a job still");
            prop_assert_eq!(again.class(), record.class());
            prop_assert_eq!(again.args(), record.args());
            prop_assert_eq!(again.retry_count(), Some(7));
            prop_assert_eq!(again.jid().as_str(), "");
        } else if let Some(fields) = Fields::read(&payload) {
            prop_assert!(splice(&payload, &edits).is_some());
            prop_assert!(fields.class().is_none() || fields.args().is_none_or(|args| !args.starts_with('[')));
        }
    }

    #[test]
    fn no_text_breaks_the_reading_of_a_backtrace(text in "[a-zA-Z0-9+/=\n]{0,64}") {
        let _ = read_backtrace(&text);
        let _ = read_backtrace(&format!("eJ{text}"));
    }
}
