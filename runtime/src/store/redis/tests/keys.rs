use super::*;

fn fixed_clock(micros: i64) -> crate::store::TestClock {
    std::sync::Arc::new(move || Timestamp::from_micros(micros))
}

/// 2026-11-24 06:00:00.25 UTC
const NOW: i64 = 1_795_500_000_250_000;

#[tokio::test]
async fn the_layout_is_sidekiqs() {
    let server = Server::start();
    let worker = Worker::with(RedisOptions::new(server.url()).with_clock(fixed_clock(NOW))).await;
    worker
        .commit(vec![
            Tx::always(vec![tail("default", "one")]),
            Tx::always(vec![tail("default", "two")]),
            Tx::always(vec![put("default", "first", End::Head)]),
            Tx::always(vec![timed(TimedSet::Schedule, "later", NOW)]),
            Tx::always(vec![timed(TimedSet::Retry, "again", NOW + 1)]),
            Tx::always(vec![timed(TimedSet::Dead, "gone", NOW + 750_000)]),
            Tx::always(vec![Effect::Join(
                crate::store::Members::Paused,
                "slow".into(),
            )]),
        ])
        .await;
    assert_eq!(
        server.run(&["LRANGE", "queue:default", "0", "-1"]),
        "two\none\nfirst"
    );
    assert_eq!(server.run(&["SMEMBERS", "queues"]), "default");
    assert_eq!(server.run(&["SMEMBERS", "paused"]), "slow");
    for (set, entry) in [
        ("schedule", "later\n1795500000.25"),
        ("retry", "again\n1795500000.250001"),
        ("dead", "gone\n1795500001"),
    ] {
        let found = server.run(&["ZRANGE", set, "0", "-1", "WITHSCORES"]);
        let (payload, score) = found.split_once('\n').unwrap();
        let (wanted, at) = entry.split_once('\n').unwrap();
        assert_eq!(payload, wanted);
        let (score, at): (f64, f64) = (score.parse().unwrap(), at.parse().unwrap());
        assert!((score - at).abs() < 1e-6, "{set}: {score} is not {at}");
    }
    let jobs = worker.claim(&["default"], 2).await;
    assert_eq!(payloads(&jobs), [&b"first"[..], b"one"]);
    let claims = format!("sancho:claims:{}", worker.owner);
    assert_eq!(server.run(&["HGET", &claims, "."]), "1");
    assert_eq!(server.run(&["HGET", &claims, "65536"]), "0:7:defaultfirst");
    assert_eq!(server.run(&["HGET", &claims, "65537"]), "0:7:defaultone");
    assert_eq!(
        server.run(&["ZRANGE", "sancho:owners", "0", "-1"]),
        worker.owner.as_str()
    );
    worker
        .commit(vec![
            worker.end(&jobs[0], []),
            Tx::always(vec![count(Stat::Processed), count(Stat::Failed)]),
            Tx::always(vec![count(Stat::Processed)]),
        ])
        .await;
    for (key, total) in [("processed", "2"), ("failed", "1")] {
        let (total_key, day_key) = (format!("stat:{key}"), format!("stat:{key}:2026-11-24"));
        assert_eq!(server.run(&["GET", &total_key]), total);
        assert_eq!(server.run(&["GET", &day_key]), total);
        assert_eq!(server.run(&["TTL", &total_key]), "-1");
        let ttl: u64 = server.run(&["TTL", &day_key]).parse().unwrap();
        let five_years = 5 * 365 * 24 * 60 * 60;
        assert!((five_years - 600..=five_years).contains(&ttl), "{ttl}");
    }
    let receipt = format!("sancho:receipt:{}", worker.lane);
    let ttl: u64 = server.run(&["PTTL", &receipt]).parse().unwrap();
    assert!((1..=60_000).contains(&ttl), "{ttl}");
}

#[tokio::test]
async fn a_day_counter_keeps_the_lifetime_it_was_made_with() {
    let server = Server::start();
    let worker = Worker::with(RedisOptions::new(server.url()).with_clock(fixed_clock(NOW))).await;
    server.run(&["SET", "stat:processed:2026-11-24", "7", "EX", "1000"]);
    worker
        .commit(vec![Tx::always(vec![count(Stat::Processed)])])
        .await;
    assert_eq!(server.run(&["GET", "stat:processed:2026-11-24"]), "8");
    let ttl: u64 = server
        .run(&["TTL", "stat:processed:2026-11-24"])
        .parse()
        .unwrap();
    assert!(ttl <= 1_000, "{ttl}");
}

#[tokio::test]
async fn every_key_begins_with_the_prefix() {
    let server = Server::start();
    let worker = Worker::with(RedisOptions::new(server.url()).prefix("{app}:")).await;
    worker.push("default", "one").await;
    let jobs = worker.claim(&["default", "other"], 5).await;
    let retry = timed(TimedSet::Retry, "one", NOW);
    let results = worker.commit(vec![worker.end(&jobs[0], [retry])]).await;
    assert_eq!(results, [TxResult::Applied]);
    worker
        .commit(vec![Tx::always(vec![count(Stat::Processed)])])
        .await;
    let keys = server.run(&["KEYS", "*"]);
    assert!(keys.lines().count() >= 6, "{keys}");
    assert!(keys.lines().all(|key| key.starts_with("{app}:")), "{keys}");
    let census = crate::store::Inspect::census(&worker.store).await.unwrap();
    assert_eq!((census.retry, census.queues.len()), (1, 1));
}

#[tokio::test]
async fn names_and_payloads_are_any_bytes() {
    let server = Server::start();
    let worker = Worker::new(&server).await;
    let queue = "a:b\nc 12:ü";
    let payload: &[u8] = b"\x00\xff:\r\n{\"a\":1}";
    let put = Effect::Put(
        Bytes::from_static(payload),
        Place::Queue {
            name: queue.into(),
            end: End::Tail,
        },
    );
    worker.commit(vec![Tx::always(vec![put])]).await;
    let jobs = worker.claim(&[queue], 1).await;
    assert_eq!(payloads(&jobs), [payload]);
    // As it is read back from the hash of claims.
    let held = crate::store::Inspect::claims(&worker.store, &worker.owner, 9)
        .await
        .unwrap();
    assert_eq!(held, jobs);
}

#[tokio::test]
async fn a_large_batch_is_one_call() {
    let server = Server::start();
    let worker = Worker::new(&server).await;
    let pushes = (0..9_000)
        .map(|_| Tx::always(vec![tail("big", "x")]))
        .collect();
    let results = worker.commit(pushes).await;
    assert_eq!(results, vec![TxResult::Applied; 9_000]);
    let mut jobs = Vec::new();
    for _ in 0..9 {
        jobs.extend(worker.claim(&["big"], 5_000).await);
    }
    assert_eq!(jobs.len(), 9_000);
    let ends: Vec<_> = jobs.iter().map(|job| worker.end(job, [])).collect();
    let before = calls(&server);
    assert_eq!(worker.commit(ends).await, vec![TxResult::Applied; 9_000]);
    assert_eq!(calls(&server) - before, 1);
    let claims = format!("sancho:claims:{}", worker.owner);
    assert_eq!(server.run(&["HLEN", &claims]), "1");
}

/// How many scripts the server was asked to run.
fn calls(server: &Server) -> u64 {
    let stats = server.run(&["INFO", "commandstats"]);
    let line = stats
        .lines()
        .find(|line| line.starts_with("cmdstat_evalsha:"));
    let calls = line.and_then(|line| line.split(['=', ',']).nth(1)).unwrap();
    calls.parse().unwrap()
}
