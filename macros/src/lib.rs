//! The `#[job]` attribute of sancho.

use proc_macro::TokenStream;

/// Makes a background job of a function.
#[proc_macro_attribute]
pub fn job(_options: TokenStream, item: TokenStream) -> TokenStream {
    item
}
