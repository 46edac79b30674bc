//! What queries find, and which are refused.

use super::*;
use crate::api::search::Hit;

const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

fn finds(query: &str, payload: &str) -> bool {
    let hit = Hit::Queued {
        job: JobRecord::new(payload.to_owned().into(), Some("mailers")),
        position: 0,
    };
    query
        .parse::<Query>()
        .unwrap()
        .matches(&hit, hit.job(), NOW)
}

#[test]
fn each_qualifier_holds_for_what_it_says() {
    let job = r#"{"class":"Mail::Welcome","args":[42,{"user":{"id":7,"name":"Ana"}}],"jid":"d3ab","tags":["vip","de"],
        "error_class":"Net::ReadTimeout","error_message":"read timed out","failed_at":1789999000000}"#;
    for query in [
        "",
        "class:welcome",
        "class:=Mail::Welcome",
        "queue:mailers",
        "queue:mail*",
        "state:queued",
        "args:42",
        "args:ana",
        "args.0:42",
        "args.1.user.id:7",
        "args.1.user.name:Ana",
        "tag:vip",
        "error:readtimeout",
        "error:\"timed out\"",
        "jid:d3ab",
        "since:1h",
        "until:1m",
        "since:2026-09-20",
        "-class:Noisy",
        "-state:dead",
        "\"read timed\"",
        "TIMED",
        "Mail::Welcome",
        "class:welcome tag:vip args:42",
    ] {
        assert!(finds(query, job), "{query}");
    }
    for query in [
        "class:noisy",
        "class:=Welcome",
        "queue:mail",
        "queue:other*",
        "state:retry",
        "args:43",
        "args.0:4",
        "args.2:42",
        "args.1.user:7",
        "tag:vi",
        "error:refused",
        "jid:d3a",
        "since:5m",
        "until:1h",
        "until:2026-09-20",
        "-tag:vip",
        "-timed",
        "class:welcome tag:none",
    ] {
        assert!(!finds(query, job), "{query}");
    }
}

#[test]
fn a_payload_that_is_no_job_is_found_by_its_text_alone() {
    assert!(finds("bad", "{bad json"));
    assert!(!finds("class:bad", "{bad json"));
    assert!(!finds("since:1h", "{bad json"));
}

#[test]
fn what_makes_no_sense_is_refused_by_name() {
    for (query, named) in [
        ("klass:A", "`klass:` is no qualifier"),
        ("state:asleep", "`state:asleep` is no state"),
        ("since:yesterday", "`yesterday` is no time"),
        ("since:9999999999999999999w", "is no time"),
        ("class:", "`class:` has nothing"),
        ("-", "`-` has nothing"),
        ("\"open", "a quote is not closed"),
    ] {
        let error = query.parse::<Query>().unwrap_err().to_string();
        assert!(error.contains(named), "{query}: {error}");
    }
}
