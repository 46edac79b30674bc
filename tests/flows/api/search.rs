//! Searching every place, a part at a time.

use std::time::Duration;

use sancho::api::search::{Found, Query, SearchCursor, SearchLimits};
use sancho::store::TimedSet;

use super::{invalid, push, put};
use crate::harness::{Flow, flows};

const WHOLE: SearchLimits = SearchLimits {
    hits: 1_000,
    looked_at: u64::MAX,
    time: Duration::MAX,
};

async fn search(flow: &Flow, query: &str, limits: SearchLimits) -> Vec<Found> {
    let query: Query = query.parse().unwrap();
    let (mut parts, mut cursor) = (Vec::new(), None);
    loop {
        let part = flow
            .api()
            .search(&query, cursor.as_ref(), limits)
            .await
            .unwrap();
        // A cursor goes through a link.
        let text = part.next.as_ref().map(ToString::to_string);
        cursor = text.map(|text| text.parse::<SearchCursor>().unwrap());
        parts.push(part);
        if cursor.is_none() {
            return parts;
        }
    }
}

fn found(parts: &[Found]) -> Vec<String> {
    let hits = parts.iter().flat_map(|part| &part.hits);
    hits.map(|hit| format!("{} {}", hit.state(), hit.job().jid()))
        .collect()
}

fn looked_at(parts: &[Found]) -> u64 {
    parts.iter().map(|part| part.looked_at).sum()
}

async fn every_place_is_looked_through(flow: Flow) {
    push(&flow, "default", &["q1", "q2"]).await;
    push(&flow, "mailers", &["q3"]).await;
    put(&flow, TimedSet::Schedule, &[("s1", 1)]).await;
    put(&flow, TimedSet::Retry, &[("r1", 1), ("r2", 2)]).await;
    put(&flow, TimedSet::Dead, &[("d1", 1)]).await;
    let all = [
        "retry r2",
        "retry r1",
        "dead d1",
        "scheduled s1",
        "queued q1",
        "queued q2",
        "queued q3",
    ];
    assert_eq!(found(&search(&flow, "", WHOLE).await), all);
    assert_eq!(
        found(&search(&flow, "class:plain -queue:mailers", WHOLE).await),
        all[..6]
    );
    assert_eq!(
        found(&search(&flow, "args.0:q3", WHOLE).await),
        ["queued q3"]
    );

    let parts = search(&flow, "state:queued queue:mail*", WHOLE).await;
    assert_eq!(
        (found(&parts), looked_at(&parts)),
        (vec!["queued q3".into()], 1)
    );
    let parts = search(&flow, "jid:r1 state:retry", WHOLE).await;
    assert_eq!((found(&parts), parts.len()), (vec!["retry r1".into()], 1));
    assert!(found(&search(&flow, "state:retry state:dead", WHOLE).await).is_empty());
}

async fn a_search_goes_on_where_it_ended(flow: Flow) {
    let ids: Vec<String> = (0..1_234).map(|n| format!("j{n:04}")).collect();
    let ids: Vec<&str> = ids.iter().map(|id| &**id).collect();
    push(&flow, "default", &ids).await;
    let timed: Vec<_> = ids.iter().copied().zip(1..).collect();
    put(&flow, TimedSet::Dead, &timed).await;

    let few = SearchLimits { hits: 7, ..WHOLE };
    let parts = search(&flow, "args:j12", few).await;
    let (hits, total) = (found(&parts), looked_at(&parts));
    assert_eq!(hits.len(), 2 * 34, "{hits:?}");
    assert_eq!(
        (hits[0].as_str(), hits[34].as_str()),
        ("dead j1233", "queued j1200")
    );
    assert_eq!(total, 2 * 1_234);
    assert!(parts.iter().all(|part| part.hits.len() <= 7));

    let short = SearchLimits {
        looked_at: 1,
        ..WHOLE
    };
    let parts = search(&flow, "args:none", short).await;
    assert_eq!((found(&parts).len(), looked_at(&parts)), (0, 2 * 1_234));
    assert!(parts.len() >= 5, "{} parts", parts.len());
}

async fn what_makes_no_sense_is_refused(flow: Flow) {
    invalid(
        flow.api()
            .search(&Query::default(), None, SearchLimits { hits: 0, ..WHOLE })
            .await,
    );
    for cursor in ["", "retry", "retry:x", "asleep:1", "retry:1:mailers"] {
        invalid(cursor.parse::<SearchCursor>());
    }
}

flows! {
    every_place_is_looked_through
    a_search_goes_on_where_it_ended
    what_makes_no_sense_is_refused
}
