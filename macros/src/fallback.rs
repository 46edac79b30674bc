//! What is written after a mistake: as much as is known, so that calls of the job do not fail as well.

use proc_macro2::{TokenStream, TokenTree};
use quote::{ToTokens as _, quote};
use syn::{Error, FnArg};

use crate::signature::Function;

/// The item as it was; but not a function that could not be read, since rustc would refuse it as well.
pub(crate) fn unreadable(item: &TokenStream, error: &Error) -> TokenStream {
    let is_function = item
        .clone()
        .into_iter()
        .any(|token| matches!(token, TokenTree::Ident(word) if word == "fn"));
    let item = (!is_function).then_some(item);
    let error = error.to_compile_error();
    quote!(#item #error)
}

/// The function, and the type without its functions. A method gets no type: an `impl` could not hold it.
pub(crate) fn bare(function: &Function, errors: Vec<Error>) -> TokenStream {
    let Function { vis, sig, .. } = function;
    let name = &sig.ident;
    let is_method = matches!(sig.inputs.first(), Some(FnArg::Receiver(_)));
    let job = (!is_method).then(|| {
        let attrs = function.shared_attrs();
        quote!(#(#attrs)* #[allow(non_camel_case_types, dead_code, missing_docs)] #vis struct #name {})
    });
    with_errors(quote!(#function #job), errors)
}

/// The code with the errors after it.
pub(crate) fn with_errors(code: TokenStream, errors: Vec<Error>) -> TokenStream {
    let combined = errors.into_iter().reduce(|mut all, error| {
        all.combine(error);
        all
    });
    let mut code = code;
    if let Some(error) = combined {
        error.to_compile_error().to_tokens(&mut code);
    }
    code
}
