//! Waiting, with a wide bound.

use std::fmt::Debug;
use std::time::Duration;

/// How long a test waits for what must happen. Far longer than it takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long between two looks at what others do.
const PAUSE: Duration = Duration::from_millis(15);

/// Waits until what is asked is as wanted, and returns it.
#[track_caller]
pub(crate) fn until<T: Debug, F: Future<Output = T>>(
    what: impl Into<String>,
    mut ask: impl FnMut() -> F,
    wanted: impl Fn(&T) -> bool,
) -> impl Future<Output = T> {
    let what = what.into();
    let asked_at = std::panic::Location::caller();
    async move {
        let begun = tokio::time::Instant::now();
        loop {
            let value = ask().await;
            if wanted(&value) {
                return value;
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "{asked_at}: {what}: it stays {value:?}"
            );
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// What a future comes to, which it must.
pub(crate) async fn in_time<F: Future>(what: &str, future: F) -> F::Output {
    tokio::time::timeout(PATIENCE, future)
        .await
        .unwrap_or_else(|_| panic!("it never came about: {what}"))
}
