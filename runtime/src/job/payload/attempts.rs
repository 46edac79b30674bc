//! How often executions ended in each rule of a job: `sancho_attempts`.

use std::collections::BTreeMap;

use super::splice::json_string;

/// Executions by the rule (`retry_on`) that they ended in, which is named by its pattern.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attempts(BTreeMap<String, u32>);

impl Attempts {
    /// Reads the field; what is no such object counts as nothing.
    pub(super) fn read(json: &str) -> Self {
        Self(serde_json::from_str(json).unwrap_or_default())
    }

    /// Counts an execution that ended in this rule, and says how many did.
    pub fn count(&mut self, pattern: &str) -> u32 {
        let count = self.0.entry(pattern.to_owned()).or_default();
        *count = count.saturating_add(1);
        *count
    }

    /// As it stands in a payload.
    #[must_use]
    pub fn json(&self) -> String {
        let counts: Vec<_> = self
            .0
            .iter()
            .map(|(pattern, count)| format!("{}:{count}", json_string(pattern)))
            .collect();
        format!("{{{}}}", counts.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn executions_are_counted_by_rule() {
        let mut attempts = Attempts::default();
        assert_eq!(attempts.count("E::A"), 1);
        assert_eq!(attempts.count("E::B(\"x\")"), 1);
        let mut read = Attempts::read(&attempts.json());
        assert_eq!(read, attempts);
        assert_eq!(read.count("E::A"), 2);
        assert_eq!(read.json(), r#"{"E::A":2,"E::B(\"x\")":1}"#);
    }

    #[test]
    fn what_is_no_count_is_nothing() {
        for json in ["null", "[]", "7", r#"{"E::A":-1}"#, r#"{"E::A":"x"}"#] {
            assert_eq!(Attempts::read(json), Attempts::default(), "{json}");
        }
        let mut full = Attempts::read(r#"{"E::A":4294967295}"#);
        assert_eq!(full.count("E::A"), u32::MAX);
    }
}
