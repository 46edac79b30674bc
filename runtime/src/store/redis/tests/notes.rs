use super::*;
use crate::store::{Inspect, Key, Members, Order, PlaceName};

const HOUR: Duration = Duration::from_secs(3_600);

/// Of the error of a command that a script may not run, in every version.
const NO_PERMISSION: &str = "run th";

fn forbid(server: &Server, command: &str) {
    server.run(&["ACL", "SETUSER", "default", &format!("-{command}")]);
}

fn allow(server: &Server, command: &str) {
    server.run(&["ACL", "SETUSER", "default", &format!("+{command}")]);
}

fn set(key: &str, value: &'static str) -> Effect {
    Effect::Set {
        key: key.into(),
        value: value.into(),
        ttl: None,
    }
}

fn set_field(key: &str, value: &'static str) -> Effect {
    Effect::SetFields {
        key: key.into(),
        fields: vec![("a".into(), value.into())],
        ttl: None,
    }
}

fn append(key: &str, item: &'static str) -> Effect {
    Effect::Append {
        key: key.into(),
        item: item.into(),
        ttl: HOUR,
    }
}

fn clear(queue: &str) -> Effect {
    Effect::Clear(PlaceName::queue(queue))
}

#[tokio::test]
async fn the_keys_are_those_of_the_contract() {
    let server = Server::start();
    let worker = Worker::new(&server).await;
    let observe = Effect::Observe {
        key: "h|PlainJob-3-9:5".into(),
        counts: vec![(1, 3)],
        ttl: HOUR,
    };
    let number = Effect::AddFields {
        key: "j|261103|9:05".into(),
        fields: vec![("PlainJob|p".into(), 2)],
        ttl: HOUR,
    };
    worker
        .commit(vec![Tx::always(vec![
            append("vm:1:a-signals", "TSTP"),
            append("vm:1:a-signals", "TERM"),
            observe,
            number,
            set_field("vm:1:a", "1"),
        ])])
        .await;
    let signals = server.run(&["LRANGE", "vm:1:a-signals", "0", "-1"]);
    assert_eq!(signals, "TERM\nTSTP", "as Ruby takes them: from the end");
    let bucket = server.run(&["BITFIELD", "h|PlainJob-3-9:5", "GET", "u16", "#1"]);
    assert_eq!(bucket, "3");
    assert_eq!(server.run(&["HGET", "j|261103|9:05", "PlainJob|p"]), "2");
    for key in ["vm:1:a-signals", "h|PlainJob-3-9:5", "j|261103|9:05"] {
        let ttl: u64 = server.run(&["TTL", key]).parse().unwrap();
        assert!((3_000..=3_600).contains(&ttl), "{key} is kept for {ttl} s");
    }
    assert_eq!(server.run(&["TTL", "vm:1:a"]), "-1");
}

#[tokio::test]
async fn a_push_whose_queue_cannot_be_made_known_pushes_nothing() {
    let server = Server::start();
    let worker = Worker::new(&server).await;
    forbid(&server, "sadd");
    // Pushes alone, and among other things.
    for txs in [
        vec![Tx::always(vec![tail("q", "1")])],
        vec![Tx::always(vec![put("q", "1", End::Head)])],
        vec![Tx::always(vec![
            timed(TimedSet::Retry, "1", 1),
            tail("q", "1"),
        ])],
    ] {
        let results = worker.commit(txs).await;
        assert!(failed(&results[0]).contains(NO_PERMISSION), "{results:?}");
        assert_eq!(server.run(&["EXISTS", "queue:q", "queues", "retry"]), "0");
    }
    allow(&server, "sadd");
    worker.push("q", "1").await;
    assert_eq!(server.run(&["SMEMBERS", "queues"]), "q");
}

#[tokio::test]
async fn a_queue_that_cannot_be_pushed_to_is_not_made_known() {
    let server = Server::start();
    let worker = Worker::new(&server).await;
    forbid(&server, "lpush");
    let results = worker
        .commit(vec![Tx::always(vec![tail("q", "1"), tail("q", "2")])])
        .await;
    assert!(failed(&results[0]).contains(NO_PERMISSION), "{results:?}");
    let results = worker
        .commit(vec![Tx::always(vec![
            put("other", "1", End::Head),
            tail("q", "1"),
        ])])
        .await;
    assert!(failed(&results[0]).contains(NO_PERMISSION), "{results:?}");
    assert_eq!(
        server.run(&["EXISTS", "queue:q", "queue:other", "queues"]),
        "0"
    );
    allow(&server, "lpush");
    // What was taken back is made known again by the next push of the batch.
    forbid(&server, "zadd");
    let half = Tx::always(vec![tail("q", "1"), timed(TimedSet::Retry, "1", 1)]);
    let results = worker
        .commit(vec![half, Tx::always(vec![tail("q", "2")])])
        .await;
    assert!(failed(&results[0]).contains(NO_PERMISSION), "{results:?}");
    assert_eq!(results[1], TxResult::Applied);
    assert_eq!(server.run(&["SMEMBERS", "queues"]), "q");
    assert_eq!(server.run(&["LRANGE", "queue:q", "0", "-1"]), "2");
}

#[tokio::test]
async fn what_was_placed_is_taken_back_where_it_may_not_be_kept() {
    let server = Server::start();
    let worker = Worker::new(&server).await;
    worker.push("q", "waiting").await;
    for (command, effect) in [
        ("hset", set_field("hash", "1")),
        ("set", set("text", "1")),
        ("unlink", clear("q")),
        ("pexpire", append("list", "1")),
    ] {
        forbid(&server, command);
        let effects = vec![
            tail("new", "1"),
            Effect::Join(Members::Processes, "vm:1:a".into()),
            Effect::Leave(Members::Queues, "q".into()),
            effect,
        ];
        let results = worker.commit(vec![Tx::always(effects)]).await;
        assert!(
            failed(&results[0]).contains(NO_PERMISSION),
            "{command}: {results:?}"
        );
        allow(&server, command);
        assert_eq!(server.run(&["LRANGE", "queue:q", "0", "-1"]), "waiting");
        assert!(
            server.run(&["SMEMBERS", "queues"]).contains('q'),
            "{command}"
        );
        let left = server.run(&["EXISTS", "queue:new", "processes", "hash", "text", "list"]);
        assert_eq!(left, "0", "{command}");
    }
}

#[tokio::test]
async fn a_key_of_another_type_fails_its_transaction_whole_and_may_be_forgotten() {
    let server = Server::start();
    let worker = Worker::new(&server).await;
    server.run(&["SET", "hash", "text"]);
    server.run(&["SADD", "list", "member"]);
    let results = worker
        .commit(vec![
            Tx::always(vec![
                tail("q", "1"),
                set("text", "1"),
                set_field("hash", "1"),
            ]),
            Tx::always(vec![set("text", "2"), append("list", "1")]),
            Tx::when(Guard::AbsentField("hash".into(), "a".into()), vec![]),
            Tx::when(Guard::Absent("hash".into()), vec![]),
            Tx::always(vec![tail("q", "2")]),
        ])
        .await;
    assert!(failed(&results[0]).contains("WRONGTYPE the key hash holds a string"));
    assert!(failed(&results[1]).contains("WRONGTYPE the key list holds a set"));
    assert!(failed(&results[2]).contains("WRONGTYPE"), "{results:?}");
    let asked = [TxResult::Refused { by: 0 }, TxResult::Applied];
    assert_eq!(results[3..], asked);
    assert_eq!(server.run(&["GET", "hash"]), "text");
    assert_eq!(server.run(&["EXISTS", "text"]), "0");
    assert_eq!(server.run(&["LRANGE", "queue:q", "0", "-1"]), "2");

    // Who looks finds nothing of the kind that it asked for.
    let keys: [Key; 2] = ["hash".into(), "list".into()];
    let fields = worker.store.fields(&keys).await.unwrap();
    assert_eq!(fields, [vec![], vec![]]);
    assert_eq!(worker.store.values(&keys[1..]).await.unwrap(), [None]);

    let forget = |key: &str| Effect::Unset(key.into());
    let results = worker
        .commit(vec![
            Tx::always(vec![forget("hash"), set_field("hash", "1")]),
            Tx::always(vec![forget("list")]),
            Tx::always(vec![append("list", "1")]),
        ])
        .await;
    assert_eq!(results, vec![TxResult::Applied; 3]);
    assert_eq!(server.run(&["HGET", "hash", "a"]), "1");
    assert_eq!(server.run(&["LRANGE", "list", "0", "-1"]), "1");
}

#[tokio::test]
async fn a_key_that_is_used_for_two_kinds_fails_whole() {
    let server = Server::start();
    let worker = Worker::new(&server).await;
    let mixed = "is used for two kinds of things";
    let both = vec![tail("q", "1"), append("key", "1"), set_field("key", "1")];
    let forgotten = vec![
        Effect::Unset("key".into()),
        append("key", "1"),
        set("key", "1"),
    ];
    for effects in [both, forgotten] {
        let results = worker
            .commit(vec![
                Tx::always(effects),
                Tx::always(vec![set("other", "1")]),
            ])
            .await;
        assert!(failed(&results[0]).contains(mixed), "{results:?}");
        assert_eq!(results[1], TxResult::Applied);
        assert_eq!(server.run(&["EXISTS", "key", "queue:q", "queues"]), "0");
    }
}

#[tokio::test]
async fn without_memory_nothing_of_a_transaction_is_kept() {
    let server = Server::start();
    let worker = Worker::new(&server).await;
    worker
        .commit(vec![Tx::always(vec![
            append("list", "1"),
            set("text", "1"),
        ])])
        .await;
    server.run(&["CONFIG", "SET", "maxmemory", "1"]);
    let effects = vec![
        tail("q", "1"),
        Effect::Join(Members::Processes, "vm:1:a".into()),
        set("text", "2"),
    ];
    let results = worker.commit(vec![Tx::always(effects)]).await;
    assert!(failed(&results[0]).starts_with("OOM"), "{results:?}");
    assert_eq!(
        server.run(&["EXISTS", "queue:q", "queues", "processes"]),
        "0"
    );
    assert_eq!(server.run(&["GET", "text"]), "1");
    // What frees memory is done, and what comes with it.
    let strike = Effect::Strike {
        key: "list".into(),
        item: "1".into(),
    };
    let replaced = vec![Effect::Unset("text".into()), set("text", "3")];
    let results = worker
        .commit(vec![Tx::always(vec![strike]), Tx::always(replaced)])
        .await;
    assert_eq!(results, vec![TxResult::Applied; 2]);
    assert_eq!(server.run(&["EXISTS", "list"]), "0");
    assert_eq!(server.run(&["GET", "text"]), "3");
}

/// Words that a client of Redis may take for the beginning of a message of another kind.
const WORDS: [&str; 9] = [
    "message",
    "pmessage",
    "smessage",
    "subscribe",
    "psubscribe",
    "unsubscribe",
    "sunsubscribe",
    "pubsub",
    "invalidate",
];

#[tokio::test]
async fn an_answer_that_looks_like_a_message_is_still_an_answer() {
    let server = Server::start();
    for first in WORDS {
        for count in 1..=4 {
            let mut words = [first, "message", "b", "c", "d"][..=count].to_vec();
            // A list is read from one end or the other.
            for _ in 0..2 {
                server.run(&["FLUSHALL"]);
                looks_like_a_message(&Worker::new(&server).await, &words).await;
                words.reverse();
            }
        }
    }
}

/// Keeps the words in every way, reads them in every way, and sees that each answer belongs to what was asked.
async fn looks_like_a_message(worker: &Worker, words: &[&'static str]) {
    let store = &worker.store;
    let mut tx = Tx::default();
    for (at, word) in (0..).zip(words) {
        tx.then.extend([
            tail("q", word),
            timed(TimedSet::Dead, word, at),
            Effect::Join(Members::Processes, (*word).into()),
            append("list", word),
            set(word, word),
            Effect::SetFields {
                key: "hash".into(),
                fields: vec![((*word).into(), (*word).into())],
                ttl: None,
            },
        ]);
    }
    tx.put_in_order();
    assert_eq!(worker.commit(vec![tx]).await, [TxResult::Applied]);
    let mut names = words.to_vec();
    names.sort_unstable();
    names.dedup();

    for order in [Order::Forward, Order::Backward] {
        let page = async |place: &PlaceName| {
            let entries = store.page(place, order, 0, 9).await.unwrap().entries;
            let mut found: Vec<_> = entries.into_iter().map(|entry| entry.payload).collect();
            if order == Order::Backward {
                found.reverse();
            }
            found
        };
        assert_eq!(page(&PlaceName::queue("q")).await, words);
        assert_eq!(page(&TimedSet::Dead.into()).await.len(), names.len());
    }
    let now = Timestamp::from_micros(9);
    let due = store.due(TimedSet::Dead, now, 9).await.unwrap();
    assert_eq!(due.entries.len(), names.len());
    let scanned = store.scan(TimedSet::Dead, "", 0, 9).await.unwrap();
    assert_eq!(scanned.entries.len(), names.len());
    assert_eq!(store.list(&"list".into()).await.unwrap(), words);
    let keys: Vec<Key> = words.iter().map(|word| (*word).into()).collect();
    let values: Vec<_> = words.iter().map(|word| Some((*word).into())).collect();
    assert_eq!(store.values(&keys).await.unwrap(), values);
    let fields = store.fields(&["hash".into()]).await.unwrap().remove(0);
    assert_eq!(fields.len(), names.len());
    assert_eq!(store.members(Members::Processes).await.unwrap(), names);
    let jobs = worker.claim(&["q"], 9).await;
    let claims = store.claims(&worker.owner, 9).await.unwrap();
    assert_eq!(claims, jobs);
    let claimed: Vec<_> = claims.into_iter().map(|claim| claim.payload).collect();
    assert_eq!(claimed, words);
    assert_eq!(store.census().await.unwrap().claimed, words.len() as u64);
}

#[tokio::test]
async fn a_counter_that_is_a_word_is_no_message_either() {
    let server = Server::start();
    let worker = Worker::new(&server).await;
    let which = [
        (Stat::Processed, None),
        (Stat::Failed, None),
        (Stat::Processed, Some("2026-11-24")),
    ];
    for key in ["stat:processed", "stat:failed", "stat:processed:2026-11-24"] {
        server.run(&["SET", key, "message"]);
    }
    assert!(worker.store.counters(&which).await.is_err());
    server.run(&["SET", "stat:failed", "3"]);
    let failed = worker.store.counter(Stat::Failed, None).await.unwrap();
    assert_eq!(failed, 3, "the answer to this question");
}
