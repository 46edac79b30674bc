//! The function under `#[job]`. Its body stays raw tokens, so that a half-typed one does not disturb the rest.

use proc_macro2::{Group, TokenStream};
use quote::{ToTokens, quote};
use syn::ext::IdentExt as _;
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, FnArg, Ident, LitStr, Result, Signature, Token, Visibility};

/// The function under `#[job]`.
pub(crate) struct Function {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) sig: Signature,
    body: Group,
}

impl Parse for Function {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let attrs = input.call(Attribute::parse_outer)?;
        let vis = input.parse()?;
        if !is_function(&input.fork()) {
            return Err(input.error("`#[job]` goes on a function: `#[job] async fn name(..) {..}`"));
        }
        let sig = input.parse()?;
        if input.peek(Token![;]) {
            return Err(input.error("a job needs a body: write `{ .. }`"));
        }
        let body = input.parse()?;
        Ok(Self {
            attrs,
            vis,
            sig,
            body,
        })
    }
}

/// Whether `fn` follows, perhaps after its qualifiers.
fn is_function(ahead: ParseStream<'_>) -> bool {
    const QUALIFIERS: [&str; 4] = ["const", "async", "unsafe", "extern"];
    while !ahead.peek(Token![fn]) {
        let qualifier = ahead.call(Ident::parse_any);
        if !qualifier.is_ok_and(|word| QUALIFIERS.iter().any(|known| word == known)) {
            return false;
        }
        if ahead.peek(LitStr) && ahead.parse::<LitStr>().is_err() {
            return false;
        }
    }
    true
}

impl Function {
    /// The name, without `r#`.
    pub(crate) fn name(&self) -> String {
        self.sig.ident.unraw().to_string()
    }

    /// The attributes that the job's type gets as well.
    pub(crate) fn shared_attrs(&self) -> impl Iterator<Item = &Attribute> {
        const SHARED: [&str; 3] = ["doc", "cfg", "deprecated"];
        self.attrs
            .iter()
            .filter(|attr| SHARED.iter().any(|name| attr.path().is_ident(name)))
    }

    pub(crate) fn is_documented(&self) -> bool {
        self.attrs.iter().any(|attr| attr.path().is_ident("doc"))
    }

    /// The conditions under which the function is there at all.
    pub(crate) fn cfgs(&self) -> impl Iterator<Item = &Attribute> {
        self.attrs.iter().filter(|attr| attr.path().is_ident("cfg"))
    }

    pub(crate) fn is_async(&self) -> bool {
        self.sig.asyncness.is_some()
    }
}

/// Whether this attribute of a parameter belongs to the macro.
pub(crate) fn is_helper(attr: &Attribute) -> bool {
    attr.path().is_ident("state") || attr.path().is_ident("context")
}

impl ToTokens for Function {
    /// The function as it was, without the helper attributes of its parameters. A variadic parameter, which rustc would
    /// refuse a second time, is left out.
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let Self {
            attrs,
            vis,
            sig,
            body,
        } = self;
        let mut sig = sig.clone();
        sig.variadic = None;
        for input in &mut sig.inputs {
            if let FnArg::Typed(parameter) = input {
                parameter.attrs.retain(|attr| !is_helper(attr));
            }
        }
        tokens.extend(quote!(#(#attrs)* #vis #sig #body));
    }
}
