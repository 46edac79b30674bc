//! Jobs in a crate that denies everything.
#![forbid(unsafe_code)]
#![deny(
    warnings,
    missing_docs,
    missing_debug_implementations,
    unreachable_pub,
    unnameable_types,
    unused_qualifications,
    unused_results,
    single_use_lifetimes,
    unused_lifetimes,
    elided_lifetimes_in_paths,
    trivial_casts,
    let_underscore_drop,
    redundant_imports,
    private_interfaces,
    private_bounds,
    non_local_definitions
)]

/// Jobs.
pub mod jobs {
    use sancho::{Context, Outcome, job};

    /// State.
    #[derive(Debug)]
    pub struct Pool(pub u8);

    /// Sends the welcome mail.
    #[job(queue = "mailers", retry = 5, tags = ["mail"], aliases = ["Old"], timeout = "10m")]
    pub async fn welcome_email(
        user_id: i64,
        name: Option<String>,
        #[state] db: &Pool,
        #[context] cx: &Context,
    ) -> Result<(), std::io::Error> {
        tokio::task::yield_now().await;
        drop((user_id, name, db.0, cx.attempt()));
        Ok(())
    }

    /// Is not async.
    #[job(retry = false)]
    pub fn resize(width: u32, #[state] db: &Pool) -> Outcome {
        let _ = (width, db.0);
        Outcome::Done
    }

    /// Takes nothing, and fails with a text.
    #[job(retry = true, timeout = 90)]
    pub(crate) async fn tidy() -> Result<Outcome, String> {
        Ok(Outcome::Done)
    }

    #[job]
    async fn never_called(id: i64) {
        let _ = id;
    }

    /// Old.
    #[deprecated = "use `welcome_email`"]
    #[job]
    pub async fn old_above(_id: i64) {}

    /// Old.
    #[job]
    #[deprecated = "use `welcome_email`"]
    pub async fn old_below(_id: i64) {}
}

fn main() {
    drop(jobs::welcome_email::perform_async(1, None));
    drop(jobs::resize::set().queue("low").perform_bulk([1, 2]));
    drop(jobs::tidy::perform_bulk([(), ()]));
}
