//! The versions of a job's arguments: `version = 3, from(V2, V1)`.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::parse::ParseStream;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned as _;
use syn::{Error, Result, Token, Type};

use crate::attr::Options;

/// The types of older versions, newest first, and where the option stands.
pub(crate) struct From {
    pub(crate) span: Span,
    pub(crate) types: Vec<Type>,
}

/// What stands in the parentheses of `from`.
pub(crate) fn from(input: ParseStream<'_>) -> Result<Vec<Type>> {
    let types = Punctuated::<Type, Token![,]>::parse_terminated(input).map_err(|error| {
        let message =
            "write the types of the older arguments, the newest first: `from(OrderV2, OrderV1)`";
        Error::new(error.span(), message)
    })?;
    Ok(types.into_iter().collect())
}

/// What is wrong with the two together.
pub(crate) fn check(options: &Options) -> Option<Error> {
    let From { span, types } = options.from.as_ref()?;
    let Some(version) = options.version else {
        let next = types.len() + 1;
        let message = format!(
            "`from` reads the arguments of older versions: write `version = {next}` for those of today"
        );
        return Some(Error::new(*span, message));
    };
    let older = usize::try_from(version - 1).unwrap_or(usize::MAX);
    let extra = types.get(older)?;
    let message = format!(
        "`from` names {} older versions, and there are fewer before `version = {version}`: write one type for each, the newest first",
        types.len()
    );
    Some(Error::new_spanned(extra, message))
}

/// What reads the older versions, if there is any.
pub(crate) fn older(options: &Options) -> Option<TokenStream> {
    let From { types, .. } = options.from.as_ref()?;
    let upcasts = types.iter().map(|ty| {
        // At the type, where rustc then says what it lacks.
        let span = Span::mixed_site().located_at(ty.span());
        quote_spanned!(span=> __P::upcast::<#ty, __Spec>)
    });
    Some(quote! {
        const OLDER: &'static [__P::Older<Self::Args>] = &[#(#upcasts),*];
    })
}
