//! The assertions.

/// Asserts that a job is enqueued or scheduled in the [fake](crate::testing::fake()) of this test, with these arguments, whose types
/// are those of the function.
///
/// | option | meaning |
/// |---|---|
/// | `queue = "mailers"` | it goes to this queue |
/// | `in = "1h"` | it runs in this time, counted from the fake's clock: a text, a number of seconds, a `Duration` |
/// | `at = time` | it runs at this time: a `DateTime<Utc>` |
/// | `within = "1m"` | how far `in` and `at` may be off; 10 s unless it is given |
/// | `count = 2` | so many of them, instead of at least one |
///
/// Without arguments (`assert_enqueued!(welcome_email)`) any will do. Where it fails it lists what is enqueued, and how that differs.
///
/// ```
/// use std::time::Duration;
/// use sancho::testing::{assert_enqueued, fake, refute_enqueued};
/// use sancho::job;
///
/// #[job(queue = "mailers")]
/// async fn reminder(user_id: i64, text: String) {
///     let _ = (user_id, text);
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let _fake = fake();
/// reminder::perform_in(Duration::from_secs(3_600), 42, "tea".into()).await.unwrap();
/// assert_enqueued!(reminder(42, "tea".into()), queue = "mailers", in = "1h");
/// assert_enqueued!(reminder, count = 1);
/// refute_enqueued!(reminder(7, "tea".into()));
/// # }
/// ```
///
/// # Panics
/// Where the job is not enqueued so; where there is no fake.
#[macro_export]
macro_rules! assert_enqueued {
    ($($expected:tt)+) => {
        $crate::testing::__assert_enqueued($crate::__expected!($($expected)+))
    };
}

/// Asserts the contrary of [`assert_enqueued!`]: no such job is enqueued or scheduled. `refute_enqueued!()` says it of all jobs.
///
/// # Panics
/// Where one is, which it shows; where there is no fake.
#[macro_export]
macro_rules! refute_enqueued {
    () => {
        $crate::testing::__refute_enqueued($crate::testing::__nothing())
    };
    ($($expected:tt)+) => {
        $crate::testing::__refute_enqueued($crate::__expected!($($expected)+))
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __expected {
    // The call is made in earnest, so that rustc checks its arguments, with a client that only keeps it.
    ($($job:ident)::+ ($($arg:expr),* $(,)?) $(, $($options:tt)*)?) => {
        $crate::__expected_options!(
            ($crate::testing::__call::<$($job)::+>(
                |client| $($job)::+::set().client(client).perform_async($($arg),*)
            ))
            $($($options)*)?
        )
    };
    ($($job:ident)::+ $(, $($options:tt)*)?) => {
        $crate::__expected_options!(($crate::testing::__any::<$($job)::+>()) $($($options)*)?)
    };
    ($($other:tt)+) => {
        ::core::compile_error!(
            "write the job as a call, `welcome_email(42)`, or its name alone for any arguments; then options: `queue = ...`, \
             `in = ...`, `at = ...`, `within = ...`, `count = ...`"
        )
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __expected_options {
    (($expected:expr)) => { $expected };
    (($expected:expr) queue = $value:expr $(, $($rest:tt)*)?) => {
        $crate::__expected_options!(($expected.queue($value)) $($($rest)*)?)
    };
    (($expected:expr) in = $value:expr $(, $($rest:tt)*)?) => {
        $crate::__expected_options!(($expected.after($value)) $($($rest)*)?)
    };
    (($expected:expr) at = $value:expr $(, $($rest:tt)*)?) => {
        $crate::__expected_options!(($expected.at($value)) $($($rest)*)?)
    };
    (($expected:expr) within = $value:expr $(, $($rest:tt)*)?) => {
        $crate::__expected_options!(($expected.within($value)) $($($rest)*)?)
    };
    (($expected:expr) count = $value:expr $(, $($rest:tt)*)?) => {
        $crate::__expected_options!(($expected.count($value)) $($($rest)*)?)
    };
    (($expected:expr) $($other:tt)+) => {
        ::core::compile_error!(
            "an assertion has the options `queue = ...`, `in = ...`, `at = ...`, `within = ...` and `count = ...`"
        )
    };
}
