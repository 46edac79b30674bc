//! What cannot be a job, each with what to write instead.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::spanned::Spanned as _;
use syn::{Attribute, Error, FnArg, Ident, Meta, Pat, PatType, Result, ReturnType, Type};

use crate::attr::Options;
use crate::signature::Function;
use crate::type_text;

/// How many arguments a job can have.
const MAX_ARGUMENTS: usize = 12;

/// A parameter of the function.
pub(crate) enum Parameter<'a> {
    /// Stands for an item of the source, in a job that iterates.
    Item(Argument<'a>),
    /// Stands in the payload.
    Argument(Argument<'a>),
    /// Shared state of this type, borrowed.
    State(&'a Type),
    /// The execution's context; the type that it is said to be.
    Context(&'a Type),
}

/// A parameter that stands in the payload.
#[derive(Clone)]
pub(crate) struct Argument<'a> {
    /// The name, where the pattern is one.
    pub(crate) name: Option<&'a Ident>,
    pub(crate) ty: &'a Type,
}

/// The parameters of a function that can be a job.
///
/// # Errors
/// All that is wrong with the signature.
pub(crate) fn parameters(function: &Function) -> Result<Vec<Parameter<'_>>> {
    let sig = &function.sig;
    let mut problems = Vec::new();
    let mut refuse = |token: &dyn ToTokens, message: &str| {
        problems.push(Error::new_spanned(token.to_token_stream(), message));
    };
    if let Some(token) = &sig.constness {
        refuse(
            token,
            "a job runs later, so it cannot be `const`: remove it",
        );
    }
    if let syn::Safety::Unsafe(token) = &sig.safety {
        refuse(
            token,
            "a job is called by the server, so it cannot be `unsafe`: use an `unsafe` block inside",
        );
    }
    if let Some(token) = &sig.abi {
        refuse(token, "a job is called by the server: remove the `extern`");
    }
    if let Some(token) = &sig.variadic {
        refuse(token, "a job cannot be variadic: take a `Vec`");
    }
    if sig.generics.lt_token.is_some() {
        refuse(&sig.generics, GENERIC);
    } else if let Some(clause) = &sig.generics.where_clause {
        refuse(clause, GENERIC);
    }
    if let ReturnType::Type(_, ty) = &sig.output {
        if has_impl(ty) {
            refuse(
                ty,
                "the result of a job has a name: write the type instead of `impl`",
            );
        } else if matches!(**ty, Type::Never(_)) {
            refuse(ty, "a job comes to an end: return `()` or `Result<(), E>`");
        }
    }
    let mut parameters = Vec::new();
    for input in &sig.inputs {
        match parameter(input) {
            Ok(parameter) => parameters.push(parameter),
            Err(error) => problems.push(error),
        }
    }
    let arguments = parameters.iter().filter_map(|parameter| match parameter {
        Parameter::Argument(argument) => Some(argument),
        _ => None,
    });
    if let Some(extra) = arguments.clone().nth(MAX_ARGUMENTS) {
        problems.push(Error::new_spanned(
            extra.ty,
            "a job takes at most 12 arguments: put several into a struct",
        ));
    }
    let combined = problems.into_iter().reduce(|mut all, error| {
        all.combine(error);
        all
    });
    combined.map_or(Ok(parameters), Err)
}

/// What stands in the way of a job with `cron`, which nobody gives arguments.
pub(crate) fn cron(parameters: &[Parameter<'_>], options: &Options) -> Option<Error> {
    options.cron.as_ref()?;
    let needed = parameters.iter().find_map(|parameter| match parameter {
        Parameter::Argument(argument) if !is_option(argument.ty) => Some(argument.ty),
        _ => None,
    })?;
    let ty = type_text::of(needed);
    let message = format!(
        "a job with `cron` is enqueued without arguments: write `Option<{ty}>`, or leave `cron` out and give the arguments in a \
         schedule file"
    );
    Some(Error::new_spanned(needed, message))
}

fn is_option(ty: &Type) -> bool {
    matches!(ty, Type::Path(path) if path.path.segments.last().is_some_and(|last| last.ident == "Option"))
}

const GENERIC: &str = "a job is read from a queue, where no types are known, so it cannot be generic: write the types themselves, \
                       and `&T` without a lifetime";

fn parameter(input: &FnArg) -> Result<Parameter<'_>> {
    let parameter = match input {
        FnArg::Typed(parameter) => parameter,
        FnArg::Receiver(receiver) => {
            return Err(Error::new_spanned(
                receiver,
                "a job has no `self`: move it out of the `impl`, and mark shared state with `#[state]`",
            ));
        }
    };
    if let Some(cfg) = find(&parameter.attrs, "cfg").or(find(&parameter.attrs, "cfg_attr")) {
        return Err(Error::new_spanned(
            cfg,
            "the parameters of a job are always the same: put `#[cfg]` on the whole function",
        ));
    }
    match (
        find(&parameter.attrs, "state"),
        find(&parameter.attrs, "context"),
    ) {
        (Some(_), Some(attr)) => Err(Error::new_spanned(
            attr,
            "a parameter is `#[state]` or `#[context]`, not both",
        )),
        (Some(attr), None) => {
            bare(attr, "write `#[state]`: the type says which state")?;
            borrowed(&parameter.ty, "`#[state]`").map(Parameter::State)
        }
        (None, Some(attr)) => {
            bare(attr, "write `#[context]`")?;
            borrowed(&parameter.ty, "`#[context]`").map(Parameter::Context)
        }
        (None, None) => argument(parameter).map(Parameter::Argument),
    }
}

fn argument(parameter: &PatType) -> Result<Argument<'_>> {
    let ty = ungrouped(&parameter.ty);
    if has_impl(ty) {
        return Err(Error::new_spanned(
            ty,
            "an argument of a job has a named type: write the type instead of `impl`",
        ));
    }
    if let Some(message) = borrow(ty) {
        return Err(Error::new_spanned(ty, message));
    }
    let name = match &*parameter.pat {
        Pat::Ident(name) => Some(&name.ident),
        _ => None,
    };
    Ok(Argument { name, ty })
}

/// What to write instead of a type that borrows.
fn borrow(ty: &Type) -> Option<String> {
    const WHY: &str = "an argument of a job is read from its payload, so it owns its data";
    let Type::Reference(reference) = ty else {
        return (has_reference(ty.to_token_stream()) || has_elided_lifetime(ty))
            .then(|| format!("{WHY}: write types without `&` and `'_`, such as `String`"));
    };
    let elem = type_text::of(&reference.elem);
    let instead = match (&*reference.elem, elem.as_str()) {
        (_, "str") => "write `String`".to_owned(),
        (Type::Slice(slice), _) => format!("write `Vec<{}>`", type_text::of(&slice.elem)),
        (_, "Path") => "write `PathBuf`".to_owned(),
        (Type::TraitObject(_), _) => "mark shared state with `#[state]`".to_owned(),
        _ => format!("mark shared state with `#[state]`, or write `{elem}`"),
    };
    Some(format!("{WHY}: {instead}"))
}

/// The type behind the `&` of a `#[state]` or `#[context]` parameter.
pub(crate) fn borrowed<'a>(ty: &'a Type, what: &str) -> Result<&'a Type> {
    let ty = ungrouped(ty);
    let Type::Reference(reference) = ty else {
        let ty_text = type_text::of(ty);
        let message = format!("{what} is borrowed from the server: write `&{ty_text}`");
        return Err(Error::new_spanned(ty, message));
    };
    let elem = type_text::of(&reference.elem);
    if let Some(token) = &reference.mutability {
        let message = format!("{what} is shared between jobs: write `&{elem}`");
        return Err(Error::new(token.span(), message));
    }
    // Another lifetime is a parameter of the function, which is refused as such.
    if let Some(lifetime) = &reference.lifetime
        && lifetime.ident == "static"
    {
        let message = format!("{what} is borrowed for one execution: write `&{elem}`");
        return Err(Error::new(lifetime.span(), message));
    }
    if has_impl(&reference.elem) {
        let message = format!("{what} is found by its type: write the type, or `&dyn`");
        return Err(Error::new_spanned(&reference.elem, message));
    }
    // `&(dyn A + B)` needs its parentheses; the type alone does not, and rustc says so.
    match ungrouped(&reference.elem) {
        Type::Paren(paren) => Ok(&paren.elem),
        elem => Ok(elem),
    }
}

/// The type that a `macro_rules` macro put into an invisible group.
fn ungrouped(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => ungrouped(&group.elem),
        ty => ty,
    }
}

fn find<'a>(attrs: &'a [Attribute], name: &str) -> Option<&'a Attribute> {
    attrs.iter().find(|attr| attr.path().is_ident(name))
}

fn bare(attr: &Attribute, message: &str) -> Result<()> {
    match &attr.meta {
        Meta::Path(_) => Ok(()),
        meta => Err(Error::new_spanned(meta, message)),
    }
}

fn has_impl(ty: &Type) -> bool {
    contains(
        ty.to_token_stream(),
        &|token| matches!(token, TokenTree::Ident(ident) if ident == "impl"),
    )
}

fn has_reference(ty: TokenStream) -> bool {
    contains(
        ty,
        &|token| matches!(token, TokenTree::Punct(punct) if punct.as_char() == '&'),
    )
}

/// Whether there is a `'_`; a named lifetime is a parameter of the function, which is refused as such.
fn has_elided_lifetime(ty: &Type) -> bool {
    let text = type_text::of(ty);
    let mut words = text.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '\'');
    words.any(|word| word == "'_")
}

fn contains(tokens: TokenStream, found: &dyn Fn(&TokenTree) -> bool) -> bool {
    tokens.into_iter().any(|token| match &token {
        TokenTree::Group(group) => contains(group.stream(), found),
        token => found(token),
    })
}
