//! Current values across a push and the run of its job.

use std::any::type_name;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::client::{ClientMiddleware, ClientNext, NewJob, Stop};
use crate::engine::{Execution, Middleware, Next};
use crate::job::current::{self, Snapshot};
use crate::job::{ArgsError, Failure, Outcome, args};

/// Carries [current] values from a push into the run of its job, and from there into what the job pushes:
/// Sidekiq's `CurrentAttributes`. Give the same one to the client and to the server.
///
/// ```
/// use sancho::middleware::Current;
/// use sancho::{Client, Config, current, job, runtime::Server};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct Tenant(u32);
///
/// #[job]
/// async fn bill_tenant() {
///     assert_eq!(current::get::<Tenant>().unwrap().0, 7);
/// }
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let values = Current::new().carry::<Tenant>("tenant");
/// let client = Client::connect(Config::new().store("memory:").middleware(values.clone())).await?;
/// current::scope(Tenant(7), bill_tenant::set().client(&client).perform_async()).await?;
///
/// let server = Server::builder().client(&client).middleware(values).only::<bill_tenant>().build()?;
/// # server.run_until(async {}).await?;
/// # Ok(())
/// # }
/// ```
///
/// The values stand in the payload under `sancho_current`. Those that this program does not carry go unread into the payloads of what
/// the job pushes. One that it carries and cannot read fails the run, which is tried again: without its tenant, a job
/// should not run. What is retried or recovered has the values of its push.
#[derive(Clone, Debug, Default)]
pub struct Current(Arc<Vec<Carried>>);

/// Where the values stand in a payload.
const FIELD: &str = "sancho_current";

/// A type that is carried.
#[derive(Clone, Copy)]
struct Carried {
    key: &'static str,
    type_name: fn() -> &'static str,
    /// The current value as JSON.
    write: fn(&Snapshot) -> Option<Result<String, ArgsError>>,
    /// Adds the value of this JSON text.
    read: fn(Snapshot, &str) -> Result<Snapshot, serde_json::Error>,
}

/// Values as they stand in a payload.
type Values = BTreeMap<String, Box<RawValue>>;

/// Those that nobody here has read.
struct Unread(Values);

impl Current {
    /// Carries nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Carries values of this type under this name. The name is what other programs, and later versions of this one, know
    /// the value by.
    ///
    /// # Panics
    /// If there is a type of that name already.
    #[must_use]
    pub fn carry<T>(mut self, key: &'static str) -> Self
    where
        T: Serialize + DeserializeOwned + Send + Sync + 'static,
    {
        assert!(
            self.0.iter().all(|carried| carried.key != key),
            "two types are carried as {key:?}: give one of them another name"
        );
        Arc::make_mut(&mut self.0).push(Carried {
            key,
            type_name: type_name::<T>,
            write: |snapshot| {
                let value = snapshot.get::<T>()?;
                Some(args::to_json(&*value))
            },
            read: |snapshot, json| Ok(snapshot.with::<T>(serde_json::from_str(json)?)),
        });
        self
    }

    /// Everything that goes into a payload.
    fn values(&self, snapshot: &Snapshot) -> Result<Values, String> {
        let mut values = match snapshot.get::<Unread>() {
            Some(unread) => unread.0.clone(),
            None => Values::new(),
        };
        for carried in self.0.iter() {
            let Some(json) = (carried.write)(snapshot) else {
                continue;
            };
            let json = json
                .map_err(|error| error.to_string())
                .and_then(|json| RawValue::from_string(json).map_err(|error| error.to_string()))
                .map_err(|error| {
                    format!("the current {:?} cannot be carried: {error}", carried.key)
                })?;
            values.insert(carried.key.to_owned(), json);
        }
        Ok(values)
    }

    /// What was current at the push.
    fn snapshot(&self, mut values: Values) -> Result<Snapshot, Failure> {
        let mut snapshot = current::snapshot();
        for carried in self.0.iter() {
            let Some(json) = values.remove(carried.key) else {
                continue;
            };
            snapshot = (carried.read)(snapshot, json.get()).map_err(|error| {
                let message = format!(
                    "the current {:?} that the job was pushed with is no `{}`: {error}",
                    carried.key,
                    (carried.type_name)()
                );
                Failure::other("sancho::CurrentError", message)
            })?;
        }
        if values.is_empty() {
            Ok(snapshot)
        } else {
            Ok(snapshot.with(Unread(values)))
        }
    }
}

impl ClientMiddleware for Current {
    async fn call(&self, mut job: NewJob, next: ClientNext<'_>) -> Result<NewJob, Stop> {
        let values = self.values(&current::snapshot()).map_err(Stop::because)?;
        if !values.is_empty() {
            job.put_field(FIELD.to_owned(), serde_json::to_string(&values)?);
        }
        next.run(job).await
    }
}

impl Middleware for Current {
    async fn call(&self, job: &Execution<'_>, next: Next<'_>) -> Result<Outcome, Failure> {
        match job.field::<Values>(FIELD)? {
            None => next.run().await,
            Some(values) => self.snapshot(values)?.scope(next.run()).await,
        }
    }
}

impl fmt::Debug for Carried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, (self.type_name)())
    }
}
