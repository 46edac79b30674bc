//! What processes say they run.

use sancho::store::{Effect, Members, keys};

use super::{apply, hash, invalid, jid, ms, payload};
use crate::harness::{Flow, flows};

fn shows_itself(identity: &str) -> [Effect; 2] {
    [
        Effect::Join(Members::Processes, identity.into()),
        hash(keys::process(identity), &[("info", "{}")]),
    ]
}

async fn running_jobs_of_all_versions_are_read(flow: Flow) {
    let api = flow.api();
    assert!(api.work().await.unwrap().is_empty());
    let shown = |jid: &str, run_at: i64| {
        let job = serde_json::Value::from(payload(jid));
        format!(r#"{{"queue":"default","payload":{job},"run_at":{run_at}}}"#)
    };
    let nested = format!(
        r#"{{"queue":"low","payload":{},"run_at":1795469301}}"#,
        payload("old")
    );
    let mut effects: Vec<Effect> = ["vm:8:a", "vm:6:b", "vm:0:idle"]
        .into_iter()
        .flat_map(shows_itself)
        .collect();
    effects.extend([
        hash(
            keys::work("vm:8:a"),
            &[
                ("7qn", &shown("second", 1_795_469_304)),
                ("7qo", &shown("first", 1_795_469_300)),
            ],
        ),
        // Some of ours write both; it is the same job.
        hash(
            keys::workers("vm:8:a"),
            &[("7qn", &shown("second", 1_795_469_304))],
        ),
        hash(keys::workers("vm:6:b"), &[("x1", &nested)]),
        // Nobody of the set.
        hash(keys::work("vm:1:gone"), &[("y", &shown("gone", 1))]),
    ]);
    apply(&flow, effects).await;

    let work = api.work().await.unwrap();
    let seen: Vec<_> = work
        .iter()
        .map(|work| (&*work.process, &*work.thread, jid(&work.job)))
        .collect();
    assert_eq!(
        seen,
        [
            ("vm:8:a", "7qo", "first".to_owned()),
            ("vm:6:b", "x1", "old".to_owned()),
            ("vm:8:a", "7qn", "second".to_owned()),
        ]
    );
    assert_eq!(work[0].run_at, Some(ms(1_795_469_300_000)));
    assert_eq!(&work[0].job.text(), &payload("first"));
    assert_eq!((&*work[1].queue, work[1].job.queue()), ("low", "low"));
    assert_eq!(work[1].job.display_class(), "PlainJob");
    let found = api.find_work("old").await.unwrap().unwrap();
    assert_eq!(&*found.process, "vm:6:b");
    assert!(api.find_work("gone").await.unwrap().is_none());
    invalid(api.find_work("").await);
}

async fn what_cannot_be_read_shows_its_text(flow: Flow) {
    let mut effects: Vec<Effect> = shows_itself("vm:8:a").into();
    effects.push(hash(
        keys::work("vm:8:a"),
        &[
            ("1", "{bad json"),
            ("2", r#"{"queue":"q","payload":"{bad","run_at":5}"#),
            ("3", r#"{"payload":null}"#),
        ],
    ));
    apply(&flow, effects).await;
    let work = flow.api().work().await.unwrap();
    let seen: Vec<_> = work
        .iter()
        .map(|work| (work.job.text().into_owned(), work.run_at.is_some()))
        .collect();
    assert_eq!(
        seen,
        [
            ("{bad json".to_owned(), false),
            ("null".to_owned(), false),
            ("{bad".to_owned(), true)
        ]
    );
    assert!(work.iter().all(|work| work.job.problem().is_some()));
}

flows! {
    running_jobs_of_all_versions_are_read
    what_cannot_be_read_shows_its_text
}
