//! What the attribute says about failures: `retry_on(..)`, `discard_on(..)`, `retry_in`, `retries_exhausted`.
//!
//! The rules become the arms of one `match` on the job's own error, in the order in which they are written; what the
//! callbacks get is typed as well. All of it is kept as function pointers over the boxed error.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens as _, quote, quote_spanned};
use syn::ext::IdentExt as _;
use syn::parse::ParseStream;
use syn::spanned::Spanned as _;
use syn::{Error, Expr, Ident, Pat, Path, Result, ReturnType, Token, Type};

use crate::attr::{Options, Retry, integer_from_one, seconds, ungrouped};
use crate::expand::option;
use crate::signature::Function;
use crate::validate::borrowed;

/// As Active Job has them.
const DEFAULT_ATTEMPTS: u32 = 5;
const DEFAULT_WAIT: Wait = Wait::Seconds(3);

/// In seconds, as the library has it.
const FARTHEST: u64 = 36_525 * 24 * 60 * 60;

/// `retry_on(..)` or `discard_on(..)`.
pub(crate) struct Rule {
    pattern: Pat,
    guard: Option<Expr>,
    then: Then,
}

enum Then {
    Discard,
    Retry { wait: Wait, attempts: u32 },
}

enum Wait {
    Seconds(u64),
    Exponential,
    By(Path),
}

/// What stands in the parentheses of `discard_on`.
pub(crate) fn discard_on(input: ParseStream<'_>) -> Result<Rule> {
    let (pattern, guard) = matched(input)?;
    if !input.is_empty() {
        return Err(input.error(
            "`discard_on` takes one pattern: write `discard_on(MailError::Gone)`, and another `discard_on` for another one",
        ));
    }
    let then = Then::Discard;
    Ok(Rule {
        pattern,
        guard,
        then,
    })
}

/// What stands in the parentheses of `retry_on`.
pub(crate) fn retry_on(input: ParseStream<'_>) -> Result<Rule> {
    if input.peek(Ident) && input.peek2(Token![=]) && !input.peek2(Token![=>]) {
        let message =
            "write the pattern first: `retry_on(MailError::Timeout, wait = \"5s\", attempts = 3)`";
        return Err(input.error(message));
    }
    let (pattern, guard) = matched(input)?;
    let (mut wait, mut attempts) = (None, None);
    while !input.is_empty() {
        if !input.peek(Token![,]) {
            return Err(
                input.error("expected `,` and `wait = ...` or `attempts = ...` after the pattern")
            );
        }
        input.parse::<Token![,]>()?;
        if input.is_empty() {
            break;
        }
        let key = if input.peek(Ident::peek_any) {
            Ident::parse_any(input)?
        } else {
            return Err(input.error(AFTER_THE_PATTERN));
        };
        let twice = || Error::new(key.span(), format!("`{key}` is given twice"));
        match key.to_string().as_str() {
            "wait" => {
                equals(&key, input)?;
                if wait.replace(wait_time(input)?).is_some() {
                    return Err(twice());
                }
            }
            "attempts" => {
                equals(&key, input)?;
                if attempts.replace(attempt_count(input)?).is_some() {
                    return Err(twice());
                }
            }
            _ => return Err(Error::new(key.span(), AFTER_THE_PATTERN)),
        }
    }
    let then = Then::Retry {
        wait: wait.unwrap_or(DEFAULT_WAIT),
        attempts: attempts.unwrap_or(DEFAULT_ATTEMPTS),
    };
    Ok(Rule {
        pattern,
        guard,
        then,
    })
}

const AFTER_THE_PATTERN: &str =
    "after its pattern, `retry_on` takes `wait = \"5s\"` and `attempts = 3`";

/// A pattern with its guard.
fn matched(input: ParseStream<'_>) -> Result<(Pat, Option<Expr>)> {
    let pattern = Pat::parse_multi_with_leading_vert(input)?;
    let guard = match input.parse::<Option<Token![if]>>()? {
        Some(_) => Some(input.parse()?),
        None => None,
    };
    Ok((pattern, guard))
}

fn equals(key: &Ident, input: ParseStream<'_>) -> Result<()> {
    if !input.peek(Token![=]) {
        return Err(Error::new(key.span(), format!("write `{key} = ...`")));
    }
    input.parse::<Token![=]>()?;
    if input.is_empty() || input.peek(Token![,]) {
        return Err(Error::new(key.span(), format!("`{key}` has no value")));
    }
    Ok(())
}

fn wait_time(input: ParseStream<'_>) -> Result<Wait> {
    const HOW: &str = "write `wait = \"5s\"`, seconds: `wait = 5`, `wait = exponential`, or the path of a `fn(count: u32) -> Duration`";
    if input.peek(syn::Lit) {
        let (seconds, span) = seconds(input, HOW)?;
        if seconds > FARTHEST {
            let message = "this wait is too long: a job waits for 100 years at most";
            return Err(Error::new(span, message));
        }
        return Ok(Wait::Seconds(seconds));
    }
    let path = path(input, HOW)?;
    Ok(if path.is_ident("exponential") {
        Wait::Exponential
    } else {
        Wait::By(path)
    })
}

fn attempt_count(input: ParseStream<'_>) -> Result<u32> {
    const HOW: &str = "write how many executions may end so, the first included: `attempts = 3`";
    integer_from_one(input, HOW)
}

/// A function that is called when a job fails.
pub(crate) struct Callback {
    path: Path,
    /// The state that it borrows, as references.
    states: Vec<Type>,
}

/// A callback that is a path alone.
pub(crate) fn callback(value: ParseStream<'_>, how: &str) -> Result<Callback> {
    Ok(Callback {
        path: path(value, how)?,
        states: Vec::new(),
    })
}

/// What stands in the parentheses of a callback: its path, and the state that it borrows.
pub(crate) fn callback_with_state(input: ParseStream<'_>, how: &str) -> Result<Callback> {
    const STATE: &str = "after its path stands the state that it borrows: write `&Mailer`";
    let mut callback = callback(input, how)?;
    while !input.is_empty() {
        if !input.peek(Token![,]) {
            return Err(input.error(STATE));
        }
        input.parse::<Token![,]>()?;
        if input.is_empty() {
            break;
        }
        let ty: Type = input
            .parse()
            .map_err(|error| Error::new(error.span(), STATE))?;
        borrowed(&ty, "the state of a callback")?;
        callback.states.push(ty);
    }
    Ok(callback)
}

/// The path of a function.
fn path(value: ParseStream<'_>, how: &str) -> Result<Path> {
    match ungrouped(value.parse()?) {
        Expr::Path(path) if path.qself.is_none() && path.attrs.is_empty() => Ok(path.path),
        other => Err(Error::new(other.span(), how)),
    }
}

/// What is wrong with options that are right by themselves; what makes no sense at all is taken out, so that rustc does not
/// complain of it as well.
pub(crate) fn check(options: &mut Options, function: &Function) -> Vec<Error> {
    let mut errors = Vec::new();
    if let (Some(Retry::Never), Some(Callback { path, .. })) =
        (options.retry, &options.retries_exhausted)
    {
        let message =
            "with `retry = false` a job is dropped without `retries_exhausted`: write `retry = 0`";
        errors.push(Error::new_spanned(path, message));
    }
    let of_an_error = options.retry_in.as_ref();
    let of_an_error = of_an_error.map(|callback| callback.path.to_token_stream());
    let of_an_error =
        of_an_error.or_else(|| Some(options.rules.first()?.pattern.to_token_stream()));
    if let Some(tokens) = of_an_error
        && returns_nothing(function)
    {
        let message =
            "this job returns nothing, so it has no error to look at: return `Result<(), E>`";
        errors.push(Error::new_spanned(tokens, message));
        options.rules.clear();
        options.retry_in = None;
    }
    errors
}

fn returns_nothing(function: &Function) -> bool {
    match &function.sig.output {
        ReturnType::Default => true,
        ReturnType::Type(_, ty) => matches!(&**ty, Type::Tuple(tuple) if tuple.elems.is_empty()),
    }
}

/// The policy of the job's definition.
pub(crate) fn policy(options: &Options) -> TokenStream {
    let Options {
        rules,
        retry_in,
        retries_exhausted,
        ..
    } = options;
    if rules.is_empty() && retry_in.is_none() && retries_exhausted.is_none() {
        return quote!(__P::Policy::NONE);
    }
    let rule = option((!rules.is_empty()).then(|| rule(rules)));
    let callbacks = retry_in.iter().chain(retries_exhausted);
    let states = callbacks.flat_map(|callback| callback.states.iter().filter_map(referred));
    let states = states.map(|ty| quote!(__P::StateInfo::of::<#ty>()));
    let retry_in = option(retry_in.as_ref().map(ask_retry_in));
    let exhausted = option(retries_exhausted.as_ref().map(exhausted));
    quote! {{
        type __Error = __P::ErrorOf<__Spec>;
        __P::Policy {
            rule: #rule,
            retry_in: #retry_in,
            exhausted: #exhausted,
            states: &[#(#states),*],
        }
    }}
}

/// The type that is borrowed.
fn referred(ty: &Type) -> Option<&Type> {
    borrowed(ty, "").ok()
}

/// The rules as one `match`. A rule that can never match is rustc's warning, at its pattern; that the last arm may be such
/// a one is no mistake.
fn rule(rules: &[Rule]) -> TokenStream {
    let error = Ident::new("error", Span::mixed_site());
    let arms = rules.iter().map(|rule| {
        let pattern = &rule.pattern;
        let guard = rule.guard.as_ref().map(|guard| quote!(if #guard));
        let then = match &rule.then {
            Then::Discard => quote!(__P::Rule::Discard),
            Then::Retry { wait, attempts } => {
                let name = name(rule);
                let wait = match wait {
                    Wait::Seconds(seconds) => {
                        quote!(__P::Wait::Time(__P::Duration::from_secs(#seconds)))
                    }
                    Wait::Exponential => quote!(__P::Wait::Exponential),
                    Wait::By(path) => quote!(__P::Wait::By(#path)),
                };
                quote!(__P::Rule::Retry(__P::RetryRule { pattern: #name, wait: #wait, attempts: #attempts }))
            }
        };
        quote!(#pattern #guard => #then,)
    });
    quote! {
        |#error| __P::Option::Some(match #error.downcast_ref::<__Error>()? {
            #(#arms)*
            #[allow(unreachable_patterns)]
            _ => return __P::Option::None,
        })
    }
}

/// The text of a rule's pattern and guard, under which its attempts are counted. Without the white space that compilers
/// print differently.
fn name(rule: &Rule) -> String {
    let guard = rule.guard.as_ref().map(|guard| quote!(if #guard));
    let pattern = &rule.pattern;
    let text = quote!(#pattern #guard).to_string();
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut name = String::new();
    for word in text.split_whitespace() {
        if name.ends_with(is_word) && word.starts_with(is_word) {
            name.push(' ');
        }
        name.push_str(word);
    }
    name
}

/// Coerced first, so that a function of another kind is an error at its path.
fn ask_retry_in(callback: &Callback) -> TokenStream {
    let Callback { path, states } = callback;
    let span = Span::mixed_site();
    let [count, error, retry_in] =
        ["count", "error", "retry_in"].map(|name| Ident::new(name, span));
    let all = all_states(states, span);
    let given = given_states(states);
    quote! {
        |#count, #error, #all| {
            let #retry_in: fn(u32, &__Error, #(#states),*) -> __P::RetryIn = #path;
            __P::Option::Some(#retry_in(#count, #error.downcast_ref::<__Error>()?, #(#given),*))
        }
    }
}

/// With the place of its path, where rustc then says what is wrong with what it returns.
fn exhausted(callback: &Callback) -> TokenStream {
    let Callback { path, states } = callback;
    let span = Span::mixed_site().located_at(path.span());
    let [job, failure, cause] = ["job", "failure", "cause"].map(|name| Ident::new(name, span));
    let all = all_states(states, span);
    let given = given_states(states);
    quote_spanned! {span=>
        |#job, #failure, #all| __P::Box::pin(async move {
            let #cause = __P::Cause::<__Error>::of(#failure);
            __P::IntoExhausted::into_exhausted(#path(#job, &#cause, #(#given),*).await)
        })
    }
}

/// The parameter that holds all state; one that nothing is taken from says so.
fn all_states(states: &[Type], span: Span) -> TokenStream {
    match states.is_empty() {
        true => quote!(_),
        false => Ident::new("states", span).into_token_stream(),
    }
}

/// The state that a callback is given. Each at its type, where rustc says that the function takes another one.
fn given_states(states: &[Type]) -> impl Iterator<Item = TokenStream> {
    states.iter().filter_map(referred).map(|ty| {
        let span = Span::mixed_site().located_at(ty.span());
        let all = Ident::new("states", span);
        quote_spanned!(span=> #all.borrowed::<#ty>())
    })
}

#[cfg(test)]
mod tests {
    use quote::quote;
    use syn::parse::Parser as _;

    use super::*;

    #[test]
    fn a_rule_is_named_by_its_pattern_and_guard() {
        for (tokens, expected) in [
            (quote!(MailError::Timeout), "MailError::Timeout"),
            (quote!(|A::B| C { .. }), "|A::B|C{..}"),
            (
                quote!(E::Limited { after } if *after > 3 && !ref_ok),
                "E::Limited{after}if*after>3&&!ref_ok",
            ),
            (quote!(ref x @ E::A), "ref x@E::A"),
        ] {
            let rule = discard_on.parse2(tokens).unwrap();
            assert_eq!(name(&rule), expected);
        }
    }
}
