//! What is written after a mistake: as much as is known, so that calls of the job do not fail as well.

use proc_macro2::TokenStream;
use quote::{ToTokens as _, quote};
use syn::{Error, FnArg};

use crate::signature::Function;

/// The item as it was.
pub(crate) fn not_a_function(item: &TokenStream, error: &Error) -> TokenStream {
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
