//! The `#[job]` attribute of sancho.
//!
//! [`attr`] reads the options ([`rules`] and [`versions`] those of failures and of older arguments), [`signature`] the function, [`validate`] refuses what cannot be a job, [`mod@expand`] writes the
//! code. After a mistake, [`fallback`] still writes as much as is known, so that one mistake is one error.

mod attr;
mod class_name;
mod cron;
mod duration;
mod expand;
mod fallback;
mod iterate;
mod rules;
mod signature;
mod type_text;
mod validate;
mod versions;

use proc_macro2::TokenStream;

/// Makes a background job of a function.
///
/// The function stays as it is. Beside it stands a type of the same name, with the functions that enqueue it:
/// `perform_async`, `perform_in`, `perform_at`, `perform_bulk`, `perform_inline` and `set`.
///
/// ```ignore
/// /// Sends the welcome mail.
/// #[sancho::job(queue = "mailers", retry = 5)]
/// pub async fn welcome_email(user_id: i64, #[state] mailer: &Mailer) -> Result<(), MailError> {
///     mailer.welcome(user_id).await
/// }
///
/// welcome_email::perform_async(42).await?;
/// ```
///
/// # Parameters
/// Plain parameters are the job's arguments: owned values that are `Serialize` and `DeserializeOwned`, at most 12. A trailing
/// `Option<T>` may be absent from the payload. `#[state] db: &Pool` borrows shared state that the server was given,
/// `#[context] cx: &sancho::Context` what the execution knows about itself.
///
/// # Result
/// `()`, `Result<(), E>`, `sancho::Outcome` or `Result<sancho::Outcome, E>`, where `E` is any error, `anyhow::Error`,
/// `Box<dyn Error + Send + Sync>` or `String`. A function that is not `async` runs on the blocking pool.
///
/// # Options
/// | option | meaning | default |
/// |---|---|---|
/// | `queue = "mailers"` | the queue it is pushed to | `"default"` |
/// | `retry = 5` | how often it is tried again: a number, `true` (25 times) or `false` (not at all, and not kept) | `true` |
/// | `retry_for = "2d"` | how long after its first failure it is tried again, instead of so many times: a duration, or seconds | by number |
/// | `retry_queue = "slow"` | the queue that it is tried again from | the one it was taken from |
/// | `dead = false` | whether it goes to the dead set when it is exhausted, or is discarded | `true` |
/// | `backtrace = 20` | what is kept of a failure's backtrace: a number of lines, `true` (all of it) or `false` | `false` |
/// | `class = "WelcomeEmail"` | its name on the wire | the function's name in UpperCamelCase |
/// | `aliases = ["OldName"]` | other names under which it is served | none |
/// | `tags = ["mail"]` | its tags | none |
/// | `timeout = "10m"` | how long one execution may take: a duration, or seconds | no limit |
/// | `retry_on(Pattern, wait = "5s", attempts = 3)` | errors that match are tried again after this time, until so many executions ended so; see below | |
/// | `discard_on(Pattern)` | errors that match end the job; it is discarded | |
/// | `retry_in = path` | `fn(count: u32, error: &E) -> RetryIn`: how long another error waits, or that it is the end | 15 s + `count⁴` s |
/// | `retries_exhausted = path` | `async fn(job: &Record, cause: &Cause<E>)`: called once it has used up its tries | |
/// | `retry_in(path, &Limits)`, `retries_exhausted(path, &Mailer)` | the same, with state that the callback borrows as its last parameters | |
/// | `version = 3` | the version of its arguments | 1 |
/// | `from(V2, V1)` | the types of older arguments, the newest first | |
/// | `cron = "0 3 * * *"` | when it is enqueued by itself: five fields, six with the seconds first, or `@daily` and its like. Such a job has no arguments, or only `Option`s | not at all |
/// | `tz = "Europe/Berlin"` | the time zone of `cron` | `"UTC"` |
/// | `iterate = rows` | the function that gives the items which the job is called with, one a call: see `sancho::iterate` | called once |
/// | `on_start = path`, `on_resume`, `on_stop`, `on_cancel`, `on_complete` | what is called around the items | nothing |
/// | `crate = path` | where sancho is, if not at `::sancho` | `::sancho` |
///
/// # Errors
/// `retry_on` and `discard_on` take a pattern with or without a guard, as an arm of a `match` on the job's own error; they are
/// looked at in the order in which they are written, and the first that matches counts. `wait` is a duration, seconds,
/// `exponential`, or the path of a `fn(count: u32) -> Duration`, 3 s if it is left out; `attempts` counts the executions that
/// ended in this rule, the first included, 5 if it is left out. After that, and for what no rule matches, `retry_in` and then
/// `retry` decide. A rule that can never match is rustc's warning.
///
/// # Versions
/// The type of an older version is a struct of its arguments in their order, with `serde::Deserialize` and a `From` for the
/// tuple of today's: `impl From<OrderV1> for (u64, Currency)`.
///
/// # Names
/// A module, type or crate of the job's name cannot stand in the same scope: group jobs by topic, not one file a job. Docs
/// link to `` [`welcome_email()`] `` or `` [`struct@welcome_email`] ``.
#[proc_macro_attribute]
pub fn job(
    options: proc_macro::TokenStream,
    item: proc_macro::TokenStream,
) -> proc_macro::TokenStream {
    expand(options.into(), item.into()).into()
}

fn expand(options: TokenStream, item: TokenStream) -> TokenStream {
    let function = match syn::parse2::<signature::Function>(item.clone()) {
        Ok(function) => function,
        Err(error) => return fallback::unreadable(&item, &error),
    };
    let (mut options, mut errors) = attr::parse(options);
    let parameters = validate::parameters(&function).and_then(|parameters| {
        if options.iterates {
            iterate::with_item(&function, parameters)
        } else {
            Ok(parameters)
        }
    });
    let parameters = match parameters {
        Ok(parameters) => parameters,
        Err(error) => {
            errors.push(error);
            return fallback::bare(&function, errors);
        }
    };
    errors.extend(rules::check(&mut options, &function));
    errors.extend(versions::check(&options));
    errors.extend(validate::cron(&parameters, &options));
    let job = expand::job(&function, &parameters, &options);
    fallback::with_errors(job, errors)
}

#[cfg(test)]
mod tests;
