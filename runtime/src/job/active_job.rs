//! ActiveJob's payloads: jobs that Rails pushed through its wrapper.
//!
//! The wrapper's one argument is an object with the job's own `arguments`, in which Rails marks what JSON cannot say by keys
//! that begin with `_aj_`. Read is what Rails 5 to 8 write: its `ActiveJob::Arguments` and `ActiveJob::Serializers`.

mod arguments;
mod global_id;

use std::borrow::Cow;

use super::payload::Fields;

pub(crate) use arguments::arguments;
pub use global_id::{GlobalId, GlobalIdError};

/// The classes under which ActiveJobs are pushed: to Sidekiq 7 and before, and to 8.
const WRAPPERS: [&str; 2] = [
    "ActiveJob::QueueAdapters::SidekiqAdapter::JobWrapper",
    "Sidekiq::ActiveJob::Wrapper",
];

/// Whether a class is one of the wrappers.
pub(crate) fn is_wrapper(class: &str) -> bool {
    WRAPPERS.contains(&class)
}

/// The class that a payload of this class wraps, where that is one of the wrappers.
pub(crate) fn wrapped(class: &str, payload: &[u8]) -> Option<String> {
    if !is_wrapper(class) {
        return None;
    }
    Fields::read(payload)?.wrapped().map(Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_wrappers_wrap() {
        let payload = br#"{"class":"-","wrapped":"Inner\u004aob","args":[]}"#;
        for wrapper in WRAPPERS {
            assert_eq!(wrapped(wrapper, payload), Some("InnerJob".to_owned()));
            for without in [&b"{}"[..], br#"{"wrapped":7}"#, br#"{"wrapped":null}"#] {
                assert_eq!(wrapped(wrapper, without), None);
            }
        }
        assert_eq!(wrapped("HardJob", payload), None);
    }
}
