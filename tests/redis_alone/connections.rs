//! Connections: those that wake, that are cut, that lose scripts and answers, and that are refused.

use std::sync::Arc;
use std::time::Duration;

use fred::types::Value;
use sancho::store::redis::{RedisOptions, RedisStore};
use sancho::store::{
    Batch, Commit, Interest, Lane, Order, PlaceName, Registration, Store, TxResult,
};
use sancho_tests::RedisServer;

use super::{Bed, PATIENCE, push};

#[tokio::test]
async fn scripts_that_are_flushed_are_loaded_again() {
    let bed = Bed::new().await;
    bed.raw("SCRIPT FLUSH").await;
    assert_eq!(bed.commit(vec![push("a", "1")]).await, [TxResult::Applied]);
    assert_eq!(bed.claim(1, &["a"], 10).await.0.len(), 1);
    bed.raw("SCRIPT FLUSH").await;
    bed.store
        .renew(&bed.owner, PATIENCE, Registration::Known)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_push_of_a_client_that_knows_only_lpush_wakes() {
    let bed = Bed::new().await;
    let (mut seq, interest) = (0, Interest::queues());
    for n in 0..10 {
        let payload = format!("payload{n}");
        let pushed = async {
            bed.raw(&format!("LPUSH queue:q {payload}")).await;
        };
        let (job, ()) = tokio::join!(bed.next_job(&mut seq, &interest), pushed);
        assert_eq!(job, payload);
    }
}

#[tokio::test]
async fn a_push_wakes_after_the_connection_was_cut_as_well() {
    let bed = Bed::new().await;
    let (mut seq, interest) = (0, Interest::queues());
    for n in 0..3 {
        bed.raw("CLIENT KILL TYPE normal SKIPME yes").await;
        let pushed = async {
            bed.raw(&format!("LPUSH queue:q {n}")).await;
        };
        let (job, ()) = tokio::join!(bed.next_job(&mut seq, &interest), pushed);
        assert_eq!(job, n.to_string());
    }
}

#[tokio::test]
async fn an_idle_wait_sends_nothing() {
    let bed = Bed::new().await;
    bed.claim(1, &["q"], 10).await;
    let interest = Interest::queues();
    bed.store.wait(&interest, Duration::ZERO).await.unwrap();
    let processed = async || {
        let Value::String(info) = bed.raw("INFO stats").await else {
            panic!("INFO gives no text")
        };
        let line = info
            .lines()
            .find_map(|line| line.strip_prefix("total_commands_processed:"))
            .unwrap()
            .to_owned();
        line.parse::<u64>().unwrap()
    };
    let before = processed().await;
    bed.store
        .wait(&interest, Duration::from_millis(300))
        .await
        .unwrap();
    assert_eq!(processed().await, before + 1);
}

#[tokio::test]
async fn a_server_that_cannot_be_used_is_refused_with_its_address_and_without_its_password() {
    let server = RedisServer::start(&["--requirepass", "right"]);
    let port = server.url().rsplit_once(':').unwrap().1.to_owned();
    let connect = async |url: String| RedisStore::connect(RedisOptions::new(url)).await;
    let error = connect(format!("redis://:wrong@127.0.0.1:{port}"))
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains(&format!("127.0.0.1:{port}")) && !error.contains("wrong@"),
        "{error}"
    );
    assert!(
        connect(format!("redis://:right@127.0.0.1:{port}"))
            .await
            .is_ok()
    );
    let error = connect("redis://127.0.0.1:1".into())
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("127.0.0.1:1"), "{error}");
}

/// A proxy in front of a server that can be told to let the next call through and to cut the connection instead of answering.
async fn proxy(server: String) -> (String, Arc<std::sync::atomic::AtomicBool>) {
    use std::sync::atomic::{AtomicBool, Ordering};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("redis://{}", listener.local_addr().unwrap());
    let cut = Arc::new(AtomicBool::new(false));
    let cutting = cut.clone();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let (address, cut) = (
                server.trim_start_matches("redis://").to_owned(),
                cutting.clone(),
            );
            tokio::spawn(async move {
                let upstream = tokio::net::TcpStream::connect(address).await.unwrap();
                let (mut from_client, mut to_client) = client.into_split();
                let (mut from_server, mut to_server) = upstream.into_split();
                let calls = tokio::io::copy(&mut from_client, &mut to_server);
                let answers = async {
                    let mut buffer = vec![0; 65_536];
                    while let Ok(read @ 1..) = from_server.read(&mut buffer).await {
                        if cut.swap(false, Ordering::SeqCst)
                            || to_client.write_all(&buffer[..read]).await.is_err()
                        {
                            return;
                        }
                    }
                };
                tokio::select! {
                    _ = calls => {}
                    () = answers => {}
                }
            });
        }
    });
    (url, cut)
}

#[tokio::test]
async fn a07_a_command_whose_answer_was_lost_is_repeated_by_us_alone() {
    let bed = Bed::new().await;
    let (url, cut) = proxy(bed.server.url()).await;
    let store = RedisStore::connect(RedisOptions::new(url)).await.unwrap();
    let batch = Batch {
        lane: Lane::random(),
        seq: 1,
        txs: vec![push("a", "1")],
    };
    cut.store(true, std::sync::atomic::Ordering::SeqCst);
    let error = store.commit(&batch).await.unwrap_err();
    assert!(!error.is_unsent(), "{error}");
    let length = async || {
        bed.store
            .page(&PlaceName::Queue("a".into()), Order::Forward, 0, 9)
            .await
            .unwrap()
            .entries
            .len()
    };
    assert_eq!(length().await, 1);
    let again = tokio::time::timeout(PATIENCE, async {
        loop {
            match store.commit(&batch).await {
                Ok(commit) => return commit,
                Err(_) => tokio::task::yield_now().await,
            }
        }
    });
    assert_eq!(again.await.unwrap(), Commit::Done(vec![TxResult::Applied]));
    assert_eq!(length().await, 1);
}
