//! From the answers of the scripts to those of the contract.

use std::sync::Arc;
use std::time::Duration;

use fred::bytes::Bytes;
use fred::types::Resp3Frame;

use super::scripts::error_text;
use crate::job::Timestamp;
use crate::store::{
    Claim, ClaimRequest, Claimed, Commit, Owner, Renewed, Standing, Token, TxResult,
};

/// An answer that no script gives, or an error.
#[derive(Debug)]
pub(super) struct Unexpected(pub(super) String);

type Decoded<T> = Result<T, Unexpected>;

pub(super) fn commit(frame: &Resp3Frame, count: usize) -> Decoded<Commit> {
    let text = text(frame)?;
    if text == "STALE" {
        return Ok(Commit::Stale);
    }
    let mut results = Vec::with_capacity(count);
    for line in text.lines() {
        match line.split_at_checked(1) {
            Some(("A", run)) => {
                let run: usize = run.parse().map_err(|_| odd(frame))?;
                if run > count - results.len().min(count) {
                    return Err(odd(frame));
                }
                results.extend(std::iter::repeat_n(TxResult::Applied, run));
            }
            Some(("R", by)) => results.push(TxResult::Refused {
                by: by.parse().map_err(|_| odd(frame))?,
            }),
            Some(("F", error)) => results.push(TxResult::Failed {
                error: error.to_owned(),
            }),
            _ => return Err(odd(frame)),
        }
    }
    if results.len() != count {
        return Err(odd(frame));
    }
    Ok(Commit::Done(results))
}

pub(super) fn claim(frame: Resp3Frame, request: &ClaimRequest) -> Decoded<Claim> {
    let mut parts = match outcome(frame)? {
        Outcome::Ended(claim) => return Ok(claim),
        Outcome::Again(claims) => return values(claims),
        Outcome::Taken(parts) => parts,
    };
    let unusable = list(parts.next())?
        .map(|name| Ok(Arc::from(text(&name)?)))
        .collect::<Decoded<_>>()?;
    let mut jobs = Vec::with_capacity(request.limit.min(crate::store::MAX_CLAIM));
    for gave in parts {
        let mut gave = list(Some(gave))?;
        let index = usize::try_from(integer(gave.next())?).unwrap_or(0);
        let source = index
            .checked_sub(1)
            .and_then(|index| request.sources.get(index));
        let queue = source
            .ok_or_else(|| Unexpected(format!("queue {index}")))?
            .queue
            .clone();
        for payload in gave {
            let token = Token::new(request.seq, jobs.len() as u64);
            jobs.push(Claimed {
                token,
                queue: queue.clone(),
                recoveries: 0,
                payload: bytes(payload)?,
            });
        }
    }
    Ok(Claim::Taken {
        jobs,
        unusable_queues: unusable,
    })
}

pub(super) fn take_over(frame: Resp3Frame) -> Decoded<Claim> {
    match outcome(frame)? {
        Outcome::Ended(claim) => Ok(claim),
        Outcome::Again(claims) => values(claims),
        Outcome::Taken(_) => Err(Unexpected("a takeover that took from queues".into())),
    }
}

pub(super) fn turn(
    frame: Resp3Frame,
    count: usize,
    request: &ClaimRequest,
) -> Decoded<(Commit, Claim)> {
    let mut both = list(Some(frame))?;
    let (Some(done), Some(claimed)) = (both.next(), both.next()) else {
        return Err(Unexpected("a turn of one part".into()));
    };
    Ok((commit(&done, count)?, claim(claimed, request)?))
}

pub(super) fn items(frame: Resp3Frame) -> Decoded<Vec<Bytes>> {
    list(list(Some(frame))?.next())?.map(bytes).collect()
}

pub(super) fn renew(frame: Resp3Frame) -> Decoded<Renewed> {
    let mut parts = list(Some(frame))?;
    let standing = match text(&parts.next().unwrap_or(Resp3Frame::Null))?.as_str() {
        "kept" => Standing::Kept,
        "new" => Standing::New,
        _ => Standing::Evicted,
    };
    let now = text(&parts.next().unwrap_or(Resp3Frame::Null))?;
    let now = Timestamp::from_micros(now.parse().map_err(|_| Unexpected(now))?);
    let held = u64::try_from(integer(parts.next())?).unwrap_or(0);
    let expired = list(parts.next())?
        .map(|owner| Ok(Owner::from_text(&text(&owner)?)))
        .collect::<Decoded<_>>()?;
    Ok(Renewed {
        standing,
        now,
        held,
        expired,
    })
}

enum Outcome {
    Ended(Claim),
    Again(std::vec::IntoIter<Resp3Frame>),
    Taken(std::vec::IntoIter<Resp3Frame>),
}

fn outcome(frame: Resp3Frame) -> Decoded<Outcome> {
    if !matches!(frame, Resp3Frame::Array { .. }) {
        return match text(&frame)?.as_str() {
            "evicted" => Ok(Outcome::Ended(Claim::Evicted)),
            "stale" => Ok(Outcome::Ended(Claim::Stale)),
            _ => Err(odd(&frame)),
        };
    }
    let mut parts = list(Some(frame))?;
    let kind = text(&parts.next().unwrap_or(Resp3Frame::Null))?;
    Ok(if kind == "again" {
        Outcome::Again(parts)
    } else {
        Outcome::Taken(parts)
    })
}

/// Pairs of token and value.
fn values(mut claims: std::vec::IntoIter<Resp3Frame>) -> Decoded<Claim> {
    let mut jobs = Vec::with_capacity(claims.len() / 2);
    while let (Some(token), Some(value)) = (claims.next(), claims.next()) {
        jobs.push(held(&text(&token)?, &bytes(value)?)?);
    }
    Ok(Claim::Taken {
        jobs,
        unusable_queues: Vec::new(),
    })
}

/// A field of the hash of claims: `<recoveries>:<length of the queue's name>:<the queue's name><payload>`.
pub(super) fn held(token: &str, value: &Bytes) -> Decoded<Claimed> {
    let read = || {
        let (recoveries, rest) = split(value)?;
        let (length, rest_at) = split(&value[rest..])?;
        let name_at = rest + rest_at;
        let payload_at = name_at + usize::try_from(length).ok()?;
        Some(Claimed {
            token: Token::from_number(token.parse().ok()?),
            queue: std::str::from_utf8(value.get(name_at..payload_at)?)
                .ok()?
                .into(),
            recoveries,
            payload: value.slice(payload_at..),
        })
    };
    read().ok_or_else(|| Unexpected(format!("the claim {token}")))
}

/// The number before the first colon, and where it goes on after that.
fn split(text: &[u8]) -> Option<(u32, usize)> {
    let colon = text.iter().position(|byte| *byte == b':')?;
    Some((
        std::str::from_utf8(&text[..colon]).ok()?.parse().ok()?,
        colon + 1,
    ))
}

/// Whether a script says yes.
pub(super) fn yes(frame: Resp3Frame) -> Decoded<bool> {
    integer(Some(frame)).map(|answer| answer != 0)
}

fn list(frame: Option<Resp3Frame>) -> Decoded<std::vec::IntoIter<Resp3Frame>> {
    match frame {
        Some(Resp3Frame::Array { data, .. }) => Ok(data.into_iter()),
        Some(frame) => Err(odd(&frame)),
        None => Err(Unexpected("an answer that is too short".into())),
    }
}

fn text(frame: &Resp3Frame) -> Decoded<String> {
    match frame {
        Resp3Frame::BlobString { data, .. } | Resp3Frame::SimpleString { data, .. } => {
            Ok(String::from_utf8_lossy(data).into_owned())
        }
        Resp3Frame::Number { data, .. } => Ok(data.to_string()),
        frame => Err(odd(frame)),
    }
}

fn integer(frame: Option<Resp3Frame>) -> Decoded<i64> {
    let frame = frame.unwrap_or(Resp3Frame::Null);
    text(&frame)?.parse().map_err(|_| odd(&frame))
}

fn bytes(frame: Resp3Frame) -> Decoded<Bytes> {
    match frame {
        Resp3Frame::BlobString { data, .. } | Resp3Frame::SimpleString { data, .. } => Ok(data),
        frame => Err(odd(&frame)),
    }
}

/// The server's error, or an answer that is none of ours.
fn odd(frame: &Resp3Frame) -> Unexpected {
    Unexpected(error_text(frame).unwrap_or_else(|| format!("an answer of another form: {frame:?}")))
}

/// How long it is until a deadline in microseconds.
pub(super) fn left(deadline: f64, now: Timestamp) -> Duration {
    Timestamp::from_score(deadline / 1e6).since(now)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::store::Source;

    fn blob(text: impl Into<Bytes>) -> Resp3Frame {
        Resp3Frame::BlobString {
            data: text.into(),
            attributes: None,
        }
    }

    /// Answers of a store, right and wrong: a server of another kind, a proxy, a script of another version.
    fn frames() -> impl Strategy<Value = Resp3Frame> {
        let words = prop::sample::select(vec![
            "",
            "STALE",
            "A1",
            "A2\nR0",
            "A18446744073709551615",
            "Fno memory",
            "R",
            "again",
            "taken",
            "evicted",
            "stale",
            "kept",
            "new",
            "1790000000000000",
            "3:7:default{}",
            "3:4294967295:x",
            "::",
            "1:1:\u{e9}",
            "-1",
            "65536",
        ]);
        let leaf = prop_oneof![
            4 => words.prop_map(blob),
            1 => prop::collection::vec(any::<u8>(), 0..24).prop_map(blob),
            2 => any::<i64>().prop_map(|data| Resp3Frame::Number { data, attributes: None }),
            1 => Just(Resp3Frame::Null),
        ];
        leaf.prop_recursive(4, 48, 6, |inner| {
            prop::collection::vec(inner, 0..6).prop_map(|data| Resp3Frame::Array {
                data,
                attributes: None,
            })
        })
    }

    proptest! {
        /// None makes it panic.
        #[test]
        fn no_answer_is_more_than_an_error(frame in frames(), count in 0_usize..4) {
            let request = ClaimRequest {
                owner: Owner::random(),
                seq: 7,
                sources: vec![Source { queue: "default".into(), share: 0 }],
                limit: 3,
            };
            if let Ok(Commit::Done(results)) = commit(&frame, count) {
                prop_assert_eq!(results.len(), count);
            }
            let _ = take_over(frame.clone());
            let _ = claim(frame.clone(), &request);
            let _ = turn(frame.clone(), count, &request);
            let _ = renew(frame.clone());
            let _ = items(frame.clone());
            let _ = yes(frame);
        }

        #[test]
        fn a_claim_is_read_as_it_was_written(recoveries: u32, queue in "\\PC{0,12}", payload in prop::collection::vec(any::<u8>(), 0..64)) {
            let mut value = format!("{recoveries}:{}:{queue}", queue.len()).into_bytes();
            value.extend(&payload);
            let claimed = held("12", &value.into()).map_err(|error| TestCaseError::fail(error.0))?;
            prop_assert_eq!((claimed.recoveries, &*claimed.queue, &claimed.payload[..]), (recoveries, &*queue, &payload[..]));
        }
    }

    #[test]
    fn an_answer_for_another_batch_is_an_error() {
        for (text, count) in [
            ("A2", 1),
            ("A1", 2),
            ("", 1),
            ("A1\nR0", 1),
            ("A18446744073709551615", 3),
        ] {
            assert!(commit(&blob(text), count).is_err(), "{text} for {count}");
        }
        assert!(matches!(commit(&blob("A1\nR0"), 2), Ok(Commit::Done(_))));
    }
}
