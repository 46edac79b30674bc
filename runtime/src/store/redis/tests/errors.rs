use std::io::Write;

use super::*;
use crate::store::{Inspect, Unavailable};

/// Of the error of a command that a script may not run, in every version.
const NO_PERMISSION: &str = "run th";

async fn ended(worker: &Worker) {
    let held = worker.store.claims(&worker.owner, 9).await.unwrap();
    assert!(held.is_empty(), "{held:?}");
}

/// Two claimed jobs, and nothing left in the queue.
async fn two_jobs(worker: &Worker) -> [Claimed; 2] {
    worker.push("q", "one").await;
    worker.push("q", "two").await;
    worker.claim(&["q"], 2).await.try_into().unwrap()
}

#[tokio::test]
async fn a_key_of_another_type_is_named_and_the_others_are_served() {
    let server = Server::start();
    let worker = Worker::new(&server).await;
    worker.push("a", "1").await;
    worker.push("c", "2").await;
    server.run(&["SET", "queue:b", "text"]);
    let request = worker.request(&["a", "b", "c"], 5);
    let Claim::Taken {
        jobs,
        unusable_queues,
    } = worker.store.claim(&request).await.unwrap()
    else {
        panic!("nothing was taken");
    };
    assert_eq!(payloads(&jobs), [b"1", b"2"]);
    assert_eq!(unusable_queues, ["b".into()]);

    let results = worker
        .commit(vec![
            Tx::always(vec![tail("a", "3")]),
            Tx::always(vec![tail("a", "4"), tail("b", "5")]),
            worker.end(&jobs[0], [tail("b", "1")]),
            worker.end(&jobs[1], []),
        ])
        .await;
    assert_eq!([&results[0], &results[3]], [&TxResult::Applied; 2]);
    assert!(failed(&results[1]).contains("queue:b"), "{results:?}");
    assert!(failed(&results[2]).contains("queue:b"), "{results:?}");
    assert_eq!(server.run(&["LRANGE", "queue:a", "0", "-1"]), "3");
    let held = worker.store.claims(&worker.owner, 9).await.unwrap();
    assert_eq!(payloads(&held), [b"1"]);
    // Who looks is told of what can be read.
    server.run(&["SADD", "queues", "b"]);
    let census = worker.store.census().await.unwrap();
    assert_eq!((census.queues.len(), census.claimed), (3, 1));
}

#[tokio::test]
async fn a_refused_placement_keeps_the_claim() {
    let server = Server::start();
    let worker = Worker::new(&server).await;
    let [one, two] = two_jobs(&worker).await;
    server.run(&["ACL", "SETUSER", "default", "-zadd"]);
    let retry = || timed(TimedSet::Retry, "one", 1);
    let results = worker
        .commit(vec![worker.end(&one, [retry()]), worker.end(&two, [])])
        .await;
    assert!(failed(&results[0]).contains(NO_PERMISSION), "{results:?}");
    assert_eq!(results[1], TxResult::Applied);
    let held = worker.store.claims(&worker.owner, 9).await.unwrap();
    assert_eq!(held, std::slice::from_ref(&one));

    server.run(&["ACL", "SETUSER", "default", "+zadd"]);
    let results = worker.commit(vec![worker.end(&one, [retry()])]).await;
    assert_eq!(results, [TxResult::Applied]);
    ended(&worker).await;
}

#[tokio::test]
async fn what_a_transaction_placed_is_taken_back_where_it_may_not_let_go() {
    let server = Server::start();
    let worker = Worker::new(&server).await;
    let [one, _] = two_jobs(&worker).await;
    let due = timed(TimedSet::Schedule, "due", 1);
    worker.commit(vec![Tx::always(vec![due])]).await;
    server.run(&["RPUSH", "queue:q", "waiting"]);

    for (command, tx) in [
        (
            "hdel",
            worker.end(
                &one,
                [
                    put("q", "one", End::Head),
                    tail("q", "one"),
                    timed(TimedSet::Dead, "one", 1),
                ],
            ),
        ),
        (
            "zrem",
            Tx::always(vec![
                tail("q", "due"),
                Effect::Take(TimedSet::Schedule.into(), Bytes::from_static(b"due")),
            ]),
        ),
    ] {
        server.run(&["ACL", "SETUSER", "default", &format!("-{command}")]);
        let results = worker.commit(vec![tx]).await;
        assert!(failed(&results[0]).contains(NO_PERMISSION), "{results:?}");
        server.run(&["ACL", "SETUSER", "default", &format!("+{command}")]);
        assert_eq!(server.run(&["LRANGE", "queue:q", "0", "-1"]), "waiting");
    }
    assert_eq!(server.run(&["ZCARD", "schedule"]), "1");
    assert_eq!(
        worker.store.claims(&worker.owner, 9).await.unwrap().len(),
        2
    );
}

#[tokio::test]
async fn jobs_that_cannot_be_held_stay_in_their_queues() {
    let server = Server::start();
    let worker = Worker::new(&server).await;
    server.run(&["RPUSH", "queue:a", "2", "1"]);
    server.run(&["RPUSH", "queue:b", "3"]);
    server.run(&["ACL", "SETUSER", "default", "-hset"]);
    let request = worker.request(&["a", "b"], 5);
    let error = worker.store.claim(&request).await.unwrap_err();
    assert!(error.to_string().contains(NO_PERMISSION), "{error}");
    assert_eq!(server.run(&["LRANGE", "queue:a", "0", "-1"]), "2\n1");
    assert_eq!(server.run(&["LRANGE", "queue:b", "0", "-1"]), "3");

    server.run(&["ACL", "SETUSER", "default", "+hset"]);
    let Claim::Taken { jobs, .. } = worker.store.claim(&request).await.unwrap() else {
        panic!("nothing was taken");
    };
    assert_eq!(payloads(&jobs), [b"1", b"2", b"3"]);
}

#[tokio::test]
async fn without_memory_pushes_are_refused_and_jobs_end() {
    let server = Server::start();
    let worker = Worker::new(&server).await;
    let [one, two] = two_jobs(&worker).await;
    worker.push("q", "three").await;
    let dead = Worker::new(&server).await;
    assert_eq!(payloads(&dead.claim(&["q"], 1).await), [b"three"]);
    dead.store
        .renew(&dead.owner, Duration::ZERO, Registration::Known)
        .await
        .unwrap();

    server.run(&["CONFIG", "SET", "maxmemory", "1"]);
    let push = Tx::always(vec![tail("q", "four"), count(Stat::Processed)]);
    let results = worker.commit(vec![push]).await;
    assert!(failed(&results[0]).starts_with("OOM"), "{results:?}");
    assert_eq!(server.run(&["LLEN", "queue:q"]), "0");

    // A lone retry, and an end.
    let retry = timed(TimedSet::Retry, "one", 1);
    let results = worker.commit(vec![worker.end(&one, [retry])]).await;
    assert_eq!(results, [TxResult::Applied]);
    let results = worker.commit(vec![worker.end(&two, [])]).await;
    assert_eq!(results, [TxResult::Applied]);
    ended(&worker).await;

    // And the process goes on, and rescues.
    let renewed = worker
        .store
        .renew(&worker.owner, LEASE, Registration::Known)
        .await
        .unwrap();
    assert_eq!(renewed.expired, std::slice::from_ref(&dead.owner));
    assert!(worker.claim(&["q"], 1).await.is_empty());
    let seq = worker.claims.fetch_add(1, Ordering::Relaxed) + 1;
    let rescued = worker
        .store
        .take_over(&worker.owner, seq, &dead.owner, 5)
        .await
        .unwrap();
    let Claim::Taken { jobs, .. } = rescued else {
        panic!("nothing was rescued");
    };
    assert_eq!(payloads(&jobs), [b"three"]);
    let back = put("q", "three", End::Head);
    let results = worker.commit(vec![worker.end(&jobs[0], [back])]).await;
    assert_eq!(results, [TxResult::Applied]);
    assert_eq!(server.run(&["LRANGE", "queue:q", "0", "-1"]), "three");
}

#[tokio::test]
async fn scripts_that_the_server_forgot_are_given_again() {
    let server = Server::start();
    let worker = Worker::new(&server).await;
    let flush = || server.run(&["SCRIPT", "FLUSH"]);
    flush();
    worker.push("q", "one").await;
    flush();
    let jobs = worker.claim(&["q"], 1).await;
    flush();
    worker
        .store
        .renew(&worker.owner, LEASE, Registration::Known)
        .await
        .unwrap();
    flush();
    let batch = worker.batch(vec![worker.end(&jobs[0], [tail("q", "two")])]);
    let (done, claimed) = worker
        .store
        .turn(&batch, &worker.request(&["q"], 1))
        .await
        .unwrap();
    assert_eq!(done, Commit::Done(vec![TxResult::Applied]));
    assert!(matches!(claimed, Claim::Taken { jobs, .. } if payloads(&jobs) == [b"two"]));
    flush();
    let seq = worker.claims.fetch_add(1, Ordering::Relaxed) + 1;
    let nobody = Owner::random();
    let rescued = worker.store.take_over(&worker.owner, seq, &nobody, 1);
    assert!(matches!(rescued.await, Ok(Claim::Taken { jobs, .. }) if jobs.is_empty()));
}

#[tokio::test]
async fn a_queue_that_was_left_is_joined_by_the_next_push_of_the_batch() {
    let server = Server::start();
    let worker = Worker::new(&server).await;
    let leave = Effect::Leave(crate::store::Members::Queues, "q".into());
    worker
        .commit(vec![
            Tx::always(vec![tail("q", "one")]),
            Tx::always(vec![leave]),
            Tx::always(vec![tail("q", "two")]),
        ])
        .await;
    assert_eq!(server.run(&["SMEMBERS", "queues"]), "q");
}

async fn refusal(url: &str) -> String {
    let error = RedisStore::connect(RedisOptions::new(url))
        .await
        .unwrap_err();
    error.to_string()
}

#[tokio::test]
async fn a_server_that_cannot_be_used_is_named_without_its_password() {
    let server = Server::start();
    server.run(&["CONFIG", "SET", "requirepass", "right"]);
    let port = server.port();
    let error = refusal(&format!("redis://:wrong-one@127.0.0.1:{port}")).await;
    assert!(
        error.contains(&format!("redis://***@127.0.0.1:{port}")),
        "{error}"
    );
    assert!(
        error.contains("WRONGPASS") && error.contains("the user and password"),
        "{error}"
    );
    assert!(!error.contains("wrong-one"), "{error}");

    RedisStore::connect(RedisOptions::new(format!(
        "redis://:right@127.0.0.1:{port}"
    )))
    .await
    .unwrap();

    drop(server);
    let error = refusal(&format!("redis://127.0.0.1:{port}")).await;
    assert!(error.contains("check that it is running there"), "{error}");
}

#[tokio::test]
async fn what_is_no_redis_is_refused() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let web = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        // Until the other side has had enough of it.
        let _ = std::io::copy(&mut stream, &mut std::io::sink());
    });
    let error = refusal(&format!("redis://{address}")).await;
    assert!(error.contains(&address.to_string()), "{error}");
    web.join().unwrap();
}

#[tokio::test]
async fn while_the_server_is_away_calls_fail_and_say_so() {
    let mut server = Server::start();
    let worker = Worker::new(&server).await;
    server.stop();
    let batch = worker.batch(vec![Tx::always(vec![tail("q", "one")])]);
    // The first may be on its way when the connection breaks. What comes later does not leave.
    let away: Unavailable = loop {
        let error = worker.store.commit(&batch).await.unwrap_err();
        if error.is_unsent() {
            break error;
        }
    };
    assert!(away.to_string().contains(&server.url()), "{away}");
    server.restart();
    let done = tokio::time::timeout(Duration::from_secs(30), async {
        loop {
            if let Ok(done) = worker.store.commit(&batch).await {
                return done;
            }
            tokio::task::yield_now().await;
        }
    });
    assert_eq!(done.await.unwrap(), Commit::Done(vec![TxResult::Applied]));
    assert_eq!(server.run(&["LLEN", "queue:q"]), "1");
}
