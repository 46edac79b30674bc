//! Bulks: where their jobs come from, and the bulk that goes on after a failure.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;

use super::lane::Reply;
use super::push::{BULK_SLICE_BYTES, result};
use super::{Client, PushError, plan};
use crate::job::JobId;
use crate::job::payload::NewJob;

/// An iterator as a stream.
pub(super) struct Iter<I>(pub(super) I);

/// Nothing in it is pinned.
impl<I> Unpin for Iter<I> {}

impl<I: Iterator> Stream for Iter<I> {
    type Item = I::Item;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<I::Item>> {
        Poll::Ready(self.0.next())
    }
}

/// A stream whose items go through a function.
pub(super) struct Map<S, F> {
    stream: Pin<Box<S>>,
    function: F,
}

impl<S, F> Map<S, F> {
    pub(super) fn new(stream: S, function: F) -> Self {
        Self {
            stream: Box::pin(stream),
            function,
        }
    }
}

/// What is pinned in it is boxed.
impl<S, F> Unpin for Map<S, F> {}

impl<S: Stream, T, F: FnMut(S::Item) -> T> Stream for Map<S, F> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let item = self.stream.as_mut().poll_next(cx);
        item.map(|item| item.map(&mut self.function))
    }
}

/// What a stream gives a slice.
pub(super) enum Next<T> {
    Item(T),
    /// Nothing yet, and the slice has something.
    Later,
    End,
}

/// The next item; waits for it only where there is nothing to send meanwhile.
pub(super) async fn next<S: Stream>(mut stream: Pin<&mut S>, waits: bool) -> Next<S::Item> {
    std::future::poll_fn(|cx| match stream.as_mut().poll_next(cx) {
        Poll::Ready(Some(item)) => Poll::Ready(Next::Item(item)),
        Poll::Ready(None) => Poll::Ready(Next::End),
        Poll::Pending if waits => Poll::Pending,
        Poll::Pending => Poll::Ready(Next::Later),
    })
    .await
}

/// One outcome for each job, in order.
pub(super) type Outcomes = Vec<Result<JobId, PushError>>;

/// Pushes all that can be pushed.
pub(super) async fn each(
    client: &Client,
    jobs: impl Iterator<Item = Result<NewJob, PushError>> + Send,
) -> Outcomes {
    let mut each = Each::default();
    for job in jobs {
        if let Err(error) = each.add(client, job).await {
            each.outcomes.push(Some(Err(error)));
        }
        if each.slice.len() >= client.bulk_slice() || each.bytes >= BULK_SLICE_BYTES {
            each.send(client).await;
        }
    }
    each.send(client).await;
    each.outcomes.into_iter().flatten().collect()
}

#[derive(Default)]
struct Each {
    /// Missing for the jobs of the slice.
    outcomes: Vec<Option<Result<JobId, PushError>>>,
    /// The jobs that are sent next, with their places among the outcomes.
    slice: Vec<NewJob>,
    places: Vec<usize>,
    bytes: usize,
    /// Whether a slice had no answer: those after it are not tried.
    away: bool,
}

impl Each {
    async fn add(
        &mut self,
        client: &Client,
        job: Result<NewJob, PushError>,
    ) -> Result<(), PushError> {
        let job = job?;
        if self.away {
            return Err(PushError::Unavailable {
                jid: job.jid,
                reason: "the store gave no answer to the jobs before it".to_owned(),
                source: None,
            });
        }
        let job = client.prepare(job).await?;
        self.bytes += job.args.len();
        self.places.push(self.outcomes.len());
        self.outcomes.push(None);
        self.slice.push(job);
        Ok(())
    }

    async fn send(&mut self, client: &Client) {
        if self.slice.is_empty() {
            return;
        }
        let slice = std::mem::take(&mut self.slice);
        self.bytes = 0;
        let now = client.now();
        let tx = plan::transaction(&slice, now, client.wire(), client.layers());
        let timeout = client.push_timeout();
        let mut reply = client.submit(tx).await;
        // Nobody can await this push again, so its answer is asked for once more here.
        if let Reply::Unanswered(unanswered) = &reply
            && let Some(answer) = unanswered.repeat(timeout).await
        {
            reply = Reply::Answered(answer);
        }
        self.away = matches!(reply, Reply::Unavailable(_) | Reply::Unanswered(_));
        for (place, job) in std::mem::take(&mut self.places).into_iter().zip(slice) {
            let outcome = result(reply.clone(), &job.jid, timeout);
            self.outcomes[place] = Some(outcome.map(|()| job.jid));
        }
    }
}
