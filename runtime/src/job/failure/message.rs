//! The message of a failed job: its error, and the chain of the error's sources.
//!
//! A job's error need not implement `Error` (`anyhow::Error`, `String` and boxes do not), and whether it does is known only
//! where its type is: in the generated code. There `(&Returned(&output)).message()` finds [`OfError`] where the error is an
//! `Error`, and [`OfAny`] otherwise, since method lookup tries the type as it is before it borrows it once more.

use std::any::Any;
use std::error::Error;
use std::fmt::{Display, Write as _};

use crate::job::Outcome;

/// What an error says.
#[derive(Debug, PartialEq, Eq)]
pub struct Message {
    /// The error, and those of its sources that it does not contain.
    pub(super) text: String,
    /// A line for the error, and one for each of its sources.
    pub(super) chain: Vec<String>,
}

impl Message {
    pub(super) fn of(error: &(impl Error + ?Sized)) -> Self {
        with_sources(error, error.source())
    }
}

/// What a job's function returned.
#[derive(Debug)]
pub struct Returned<'a, T>(pub &'a T);

/// The message of an error that implements `Error`.
pub trait OfError {
    /// The error with its sources; nothing, if there is none.
    fn message(&self) -> Option<Message>;
}

impl<T, E: Error> OfError for Returned<'_, Result<T, E>> {
    fn message(&self) -> Option<Message> {
        let error = self.0.as_ref().err()?;
        Some(with_sources(error, error.source()))
    }
}

/// The message of anything else.
pub trait OfAny {
    /// That of a boxed error with its sources; nothing, if there is none.
    fn message(&self) -> Option<Message>;
}

impl<T: Any> OfAny for &Returned<'_, T> {
    fn message(&self) -> Option<Message> {
        let error = boxed::<(), T>(self.0).or_else(|| boxed::<Outcome, T>(self.0))?;
        Some(with_sources(error, error.source()))
    }
}

type Boxed = Box<dyn Error + Send + Sync>;

fn boxed<Success: 'static, T: Any>(output: &T) -> Option<&Boxed> {
    let result = (output as &dyn Any).downcast_ref::<Result<Success, Boxed>>()?;
    result.as_ref().err()
}

fn with_sources(
    error: &(impl Display + ?Sized),
    source: Option<&(dyn Error + 'static)>,
) -> Message {
    let mut text = error.to_string();
    let mut chain = vec![text.clone()];
    let sources = std::iter::successors(source, |error| (*error).source());
    for source in sources.map(ToString::to_string) {
        if !text.contains(&source) {
            let _ = write!(text, ": {source}");
        }
        chain.push(format!("caused by: {source}"));
    }
    Message { text, chain }
}

#[cfg(test)]
mod tests {
    use std::fmt;
    use std::io;

    use super::*;

    /// As generated code asks.
    macro_rules! message {
        ($output:expr) => {
            (&Returned(&$output)).message()
        };
    }

    #[derive(Debug)]
    struct Layer(&'static str, Option<Box<Layer>>);

    impl Display for Layer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl Error for Layer {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            self.1.as_deref().map(|layer| layer as _)
        }
    }

    fn chain() -> Layer {
        let inner = Layer("inner", None);
        let told = Layer("no mail", Some(Box::new(inner)));
        Layer("outer: no mail", Some(Box::new(told)))
    }

    #[test]
    fn the_chain_is_appended_without_what_was_said() {
        let output: Result<(), Layer> = Err(chain());
        let message = message!(output).unwrap();
        assert_eq!(message.text, "outer: no mail: inner");
        assert_eq!(
            message.chain,
            ["outer: no mail", "caused by: no mail", "caused by: inner"]
        );
    }

    #[test]
    fn the_sources_of_a_boxed_error_are_found() {
        let output: Result<Outcome, Boxed> = Err(Box::new(chain()));
        assert_eq!(message!(output).unwrap().text, "outer: no mail: inner");
    }

    #[test]
    fn what_is_no_error_has_no_message_here() {
        assert_eq!(message!(()), None);
        let text: Result<(), String> = Err("no mail".to_owned());
        assert_eq!(message!(text), None);
        let fine: Result<(), io::Error> = Ok(());
        assert_eq!(message!(fine), None);
    }
}
