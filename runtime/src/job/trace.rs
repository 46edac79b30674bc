//! A place in a distributed trace, as the W3C's Trace Context writes it.

use std::fmt;
use std::sync::Arc;

/// A span of a trace that goes over several programs: `traceparent` and `tracestate` of the W3C's Trace Context.
///
/// ```
/// use sancho::middleware::TraceContext;
///
/// let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
/// let context = TraceContext::parse(parent, Some("vendor=1")).unwrap();
/// assert_eq!(context.to_string(), parent);
/// assert_eq!(context.child().trace_id(), context.trace_id());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceContext {
    trace: u128,
    span: u64,
    flags: u8,
    state: Option<Arc<str>>,
}

/// The flag that says that the trace is recorded.
const SAMPLED: u8 = 1;

/// The longest `tracestate` that must be carried.
const LONGEST_STATE: usize = 512;

impl TraceContext {
    /// A new trace, with a span of its own.
    #[must_use]
    pub fn root(sampled: bool) -> Self {
        Self {
            trace: fastrand::u128(1..),
            span: fastrand::u64(1..),
            flags: u8::from(sampled),
            state: None,
        }
    }

    /// Reads the two headers. A `tracestate` that is too long or no visible ASCII is left out, as the W3C allows.
    ///
    /// Returns `None` for a `traceparent` that is none.
    #[must_use]
    pub fn parse(parent: &str, state: Option<&str>) -> Option<Self> {
        let mut parts = parent.splitn(5, '-');
        let version = hex(parts.next()?, 2)?;
        let (trace, span) = (hex(parts.next()?, 32)?, hex(parts.next()?, 16)?);
        let flags = hex(parts.next()?, 2)?;
        // Later versions may say more; this one says no more.
        let ended = version > 0 || parts.next().is_none();
        if version == 0xff || trace == 0 || span == 0 || !ended {
            return None;
        }
        let visible = |text: &&str| {
            text.len() <= LONGEST_STATE && text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
        };
        Some(Self {
            trace,
            span: u64::try_from(span).ok()?,
            flags: u8::try_from(flags).ok()?,
            state: state.filter(visible).map(Into::into),
        })
    }

    /// A new span of the same trace.
    #[must_use]
    pub fn child(&self) -> Self {
        Self {
            span: fastrand::u64(1..),
            ..self.clone()
        }
    }

    /// The trace's id: 32 hex digits.
    #[must_use]
    pub fn trace_id(&self) -> String {
        format!("{:032x}", self.trace)
    }

    /// The span's id: 16 hex digits.
    #[must_use]
    pub fn span_id(&self) -> String {
        format!("{:016x}", self.span)
    }

    /// Whether the trace is recorded.
    #[must_use]
    pub fn is_sampled(&self) -> bool {
        self.flags & SAMPLED != 0
    }

    /// What vendors add: `tracestate`.
    #[must_use]
    pub fn state(&self) -> Option<&str> {
        self.state.as_deref()
    }
}

/// As `traceparent`.
impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            trace, span, flags, ..
        } = self;
        write!(f, "00-{trace:032x}-{span:016x}-{flags:02x}")
    }
}

/// A number of exactly so many lower-case hex digits.
fn hex(text: &str, digits: usize) -> Option<u128> {
    let valid = |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    if text.len() != digits || !text.bytes().all(valid) {
        return None;
    }
    u128::from_str_radix(text, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";

    #[test]
    fn a_context_is_written_as_it_was_read() {
        let context = TraceContext::parse(PARENT, Some("a=1,b=2")).unwrap();
        assert_eq!(context.to_string(), PARENT);
        assert_eq!(context.trace_id(), "0af7651916cd43dd8448eb211c80319c");
        assert_eq!(context.span_id(), "b7ad6b7169203331");
        assert_eq!(
            (context.is_sampled(), context.state()),
            (false, Some("a=1,b=2"))
        );
    }

    #[test]
    fn what_is_no_traceparent_is_none() {
        let zero = "0".repeat(32);
        for parent in [
            "",
            "00",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-00",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00-",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-+1",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-00",
            &format!("00-{zero}-b7ad6b7169203331-00"),
        ] {
            assert_eq!(TraceContext::parse(parent, None), None, "{parent}");
        }
    }

    #[test]
    fn a_later_version_may_say_more() {
        let later = PARENT.replacen("00-", "cc-", 1) + "-what-the-future-will-be-like";
        let context = TraceContext::parse(&later, None).unwrap();
        assert_eq!(context.to_string(), PARENT);
    }

    #[test]
    fn a_state_that_cannot_be_a_header_is_left_out() {
        for state in ["a=\n", "é=1", &"x".repeat(513)] {
            let context = TraceContext::parse(PARENT, Some(state)).unwrap();
            assert_eq!(context.state(), None);
        }
    }

    #[test]
    fn a_root_is_read_again_and_a_child_is_another_span_of_it() {
        let root = TraceContext::root(true);
        assert_eq!(
            TraceContext::parse(&root.to_string(), None),
            Some(root.clone())
        );
        let child = root.child();
        assert_eq!(child.trace_id(), root.trace_id());
        assert_ne!(child.span_id(), root.span_id());
        assert!(child.is_sampled());
    }
}
