//! Tests side by side: whose push is whose.

use std::sync::{Arc, Barrier};
use std::thread;

use sancho::api::Cancelled;
use sancho::testing::{self, TestJobs as _};
use sancho::{Client, Config, PushError, job, runtime};
use tokio::runtime::{Builder, Runtime};

#[job]
async fn pushed_by(test: usize, n: usize) {
    let _ = (test, n);
}

const TESTS: usize = 8;
const PUSHES: usize = 50;

/// From everywhere that a test may push from; each way pushes `PUSHES` jobs.
async fn push_from_everywhere(test: usize) {
    let push = move |n| async move { pushed_by::perform_async(test, n).await.unwrap() };
    for n in 0..PUSHES {
        push(n).await;
    }
    tokio::spawn(async move {
        for n in 0..PUSHES {
            push(n).await;
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    tokio::spawn(async move {
        let nested = (0..PUSHES).map(|n| tokio::spawn(push(n)));
        for task in nested.collect::<Vec<_>>() {
            task.await.unwrap();
        }
    })
    .await
    .unwrap();
    tokio::task::spawn_blocking(move || {
        for n in 0..PUSHES {
            tokio::runtime::Handle::current().block_on(push(n));
        }
    })
    .await
    .unwrap();
    let local = tokio::task::LocalSet::new();
    local
        .run_until(async move {
            let tasks = (0..PUSHES).map(|n| tokio::task::spawn_local(push(n)));
            for task in tasks.collect::<Vec<_>>() {
                task.await.unwrap();
            }
        })
        .await;
    let handle = tokio::runtime::Handle::current();
    let of_a_thread = thread::spawn(move || {
        for n in 0..PUSHES {
            handle.block_on(push(n));
        }
    });
    tokio::task::spawn_blocking(move || of_a_thread.join().unwrap())
        .await
        .unwrap();
}

const WAYS: usize = 6;

/// Runs this test beside others, on a runtime of its own.
fn side_by_side(runtime: impl Fn() -> Runtime + Send + Sync + 'static) {
    let (runtime, barrier) = (Arc::new(runtime), Arc::new(Barrier::new(TESTS)));
    let tests = (0..TESTS).map(|test| {
        let (runtime, barrier) = (runtime.clone(), barrier.clone());
        thread::spawn(move || {
            runtime().block_on(async {
                let fake = testing::fake();
                barrier.wait();
                push_from_everywhere(test).await;
                barrier.wait();
                let jobs = pushed_by::jobs();
                assert_eq!(jobs.len(), WAYS * PUSHES);
                assert_eq!(fake.jobs().len(), WAYS * PUSHES);
                assert!(
                    jobs.iter().all(|job| job.args().0 == test),
                    "one went astray"
                );
            });
        })
    });
    for test in tests.collect::<Vec<_>>() {
        test.join().unwrap();
    }
}

#[test]
fn no_push_goes_astray_on_runtimes_of_one_thread() {
    side_by_side(|| Builder::new_current_thread().enable_all().build().unwrap());
}

#[test]
fn no_push_goes_astray_on_runtimes_of_several_threads() {
    side_by_side(|| {
        Builder::new_multi_thread()
            .worker_threads(3)
            .enable_all()
            .build()
            .unwrap()
    });
}

#[test]
fn a_test_without_a_runtime_owns_the_pushes_of_its_thread() {
    let barrier = Arc::new(Barrier::new(TESTS));
    let tests = (0..TESTS).map(|test| {
        let barrier = barrier.clone();
        thread::spawn(move || {
            let _fake = testing::fake();
            barrier.wait();
            let runtime = Builder::new_current_thread().build().unwrap();
            for n in 0..PUSHES {
                runtime.block_on(pushed_by::perform_async(test, n)).unwrap();
            }
            barrier.wait();
            assert_eq!(pushed_by::jobs().len(), PUSHES);
            assert_eq!(runtime.block_on(pushed_by::drain()).unwrap(), PUSHES);
        })
    });
    for test in tests.collect::<Vec<_>>() {
        test.join().unwrap();
    }
}

/// What a thread with a runtime of its own, which no test owns, gets for a push.
fn unowned_push() -> PushError {
    let push = || {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime
            .block_on(pushed_by::perform_async(0, 0))
            .unwrap_err()
    };
    thread::spawn(push).join().unwrap()
}

#[tokio::test]
async fn a_push_that_no_test_owns_is_an_error_that_says_so() {
    let fake = testing::fake();
    let error = unowned_push();
    assert!(matches!(error, PushError::Unavailable { .. }));
    assert!(
        error.to_string().contains("no test owns this push"),
        "{error}"
    );
    assert!(error.to_string().contains("testing::disable()"), "{error}");
    assert!(fake.jobs().is_empty());
    drop(fake);
    let late = unowned_push();
    assert!(late.to_string().contains("no test owns"), "{late}");
    let bulk = pushed_by::perform_bulk([(1, 1)]).await.unwrap_err();
    assert!(bulk.to_string().contains("no test owns"), "{bulk}");
    let by_class = sancho::client().push("HardJob", (1,)).await.unwrap_err();
    assert!(by_class.to_string().contains("no test owns"), "{by_class}");
}

#[tokio::test]
async fn the_guard_ends_when_it_is_dropped_and_the_one_before_it_is_back() {
    let outer = testing::fake();
    {
        let inner = testing::fake();
        pushed_by::perform_async(1, 1).await.unwrap();
        assert_eq!((inner.jobs().len(), outer.jobs().len()), (1, 0));
    }
    pushed_by::perform_async(1, 2).await.unwrap();
    assert_eq!(outer.jobs().len(), 1);

    let first = testing::fake();
    let second = testing::fake();
    drop(first);
    pushed_by::perform_async(1, 3).await.unwrap();
    assert_eq!((second.jobs().len(), outer.jobs().len()), (1, 1));
}

#[tokio::test]
async fn a_push_that_names_a_client_goes_to_it() {
    let fake = testing::fake();
    let other = Client::connect(Config::new().store("memory:"))
        .await
        .unwrap();
    pushed_by::set()
        .client(&other)
        .perform_async(1, 1)
        .await
        .unwrap();
    other.push("HardJob", (1, "two")).await.unwrap();
    assert!(fake.jobs().is_empty());
    let api = sancho::api::Api::new(&other);
    assert_eq!(api.stats().await.unwrap().enqueued, 2);

    pushed_by::set()
        .client(&fake.client())
        .perform_async(1, 1)
        .await
        .unwrap();
    fake.client().push("HardJob", (1, "two")).await.unwrap();
    assert_eq!(fake.jobs().len(), 2);
}

#[tokio::test]
async fn a_client_of_the_fake_brings_pushes_from_outside_into_it() {
    let fake = testing::fake();
    let client = fake.client();
    let push = move || {
        let runtime = Builder::new_current_thread().build().unwrap();
        let set = pushed_by::set().client(&client);
        runtime.block_on(set.perform_async(7, 7)).unwrap();
    };
    thread::spawn(push).join().unwrap();
    assert_eq!(pushed_by::jobs()[0].args(), (7, 7));
}

#[tokio::test]
async fn what_is_cancelled_is_looked_for_in_the_fake() {
    let fake = testing::fake();
    let jid = pushed_by::perform_async(1, 1).await.unwrap();
    let cancelled = sancho::cancel(jid.as_str()).await.unwrap();
    assert!(matches!(cancelled, Cancelled::Removed(_)), "{cancelled:?}");
    assert!(fake.jobs().is_empty());
    let unowned = || {
        let tokio = Builder::new_current_thread().enable_all().build().unwrap();
        tokio.block_on(sancho::cancel("d3ab")).unwrap_err()
    };
    let error = thread::spawn(unowned).join().unwrap();
    assert!(error.to_string().contains("no test owns"), "{error}");
}

#[tokio::test]
async fn a_disabled_test_pushes_to_the_default_client_beside_a_fake() {
    let own = thread::spawn(|| {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let fake = testing::fake();
            let _real = testing::disable();
            sancho::init(Config::new().store("memory:")).await.unwrap();
            pushed_by::perform_async(1, 1).await.unwrap();
            assert!(fake.jobs().is_empty());
        });
    });
    own.join().unwrap();
}

/// A server that runs in a test makes its client the default one of its runtime.
#[tokio::test]
async fn a_push_beside_a_server_that_no_test_owns_is_an_error_until_its_test_means_it() {
    let fake = testing::fake();
    let on_its_own = thread::spawn(|| {
        let tokio = Builder::new_current_thread().enable_all().build().unwrap();
        tokio.block_on(async {
            let client = Client::connect(Config::new().store("memory:"));
            let client = client.await.unwrap();
            let server = runtime::Server::builder().client(&client);
            let server = server.only::<pushed_by>().queues(["elsewhere"]);
            let server = server.build().unwrap();
            let handle = server.handle();
            let running = tokio::spawn(server.run());
            handle.started().await;
            let unowned = pushed_by::perform_async(0, 0).await.unwrap_err();
            let real = testing::disable();
            pushed_by::perform_async(0, 1).await.unwrap();
            drop(real);
            let stats = sancho::api::Api::new(&client).stats().await.unwrap();
            handle.stop();
            running.await.unwrap().unwrap();
            (unowned, stats.enqueued)
        })
    });
    let (unowned, enqueued) = on_its_own.join().unwrap();
    assert!(unowned.to_string().contains("no test owns"), "{unowned}");
    assert_eq!(enqueued, 1);
    assert!(fake.jobs().is_empty());
}

#[test]
#[should_panic(expected = "there is no fake here")]
fn asking_for_jobs_without_a_fake_says_what_to_write() {
    let _ = pushed_by::jobs();
}
