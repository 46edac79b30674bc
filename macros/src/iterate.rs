//! The code of a job that iterates: the loop over the items of its source, and the hooks around it.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{Error, Path, Result};

use crate::attr::Options;
use crate::expand::{arguments, local};
use crate::signature::Function;
use crate::validate::{Argument, Parameter};

/// The parameters, of which the first that is neither state nor context stands for the item.
///
/// # Errors
/// Where there is none.
pub(crate) fn with_item<'a>(
    function: &Function,
    mut parameters: Vec<Parameter<'a>>,
) -> Result<Vec<Parameter<'a>>> {
    for parameter in &mut parameters {
        if let Parameter::Argument(argument) = parameter {
            *parameter = Parameter::Item(argument.clone());
            return Ok(parameters);
        }
    }
    let name = &function.sig.ident;
    let message =
        format!("a job that iterates is called with an item: write `fn {name}(item: Item, ..)`");
    Err(Error::new_spanned(name, message))
}

/// Decodes the arguments and calls the function once for each item.
pub(crate) fn run(
    function: &Function,
    parameters: &[Parameter<'_>],
    options: &Options,
) -> TokenStream {
    // Its mistake was told, and must not bring others about. With it nothing compiles, so nothing runs this.
    let Some(source) = &options.iterate else {
        return quote!(|_| ::core::unreachable!("a job whose `iterate` is wrong does not compile"));
    };
    // rustc's complaint that the future is not `Send` stands where these tokens do.
    let span = Span::mixed_site().located_at(function.sig.ident.span());
    let names = Names::at(span);
    let Names { call, run, .. } = &names;
    let locals = names.locals(parameters);
    let open = open(source, parameters);
    let next = next(source);
    let each = each(function, parameters, &names);
    let item = Ident::new("item", span);
    let hooks = &options.hooks;
    let hook = |path: &Option<Path>, asked: TokenStream| {
        let path = path.as_ref()?;
        let span = Span::mixed_site().located_at(path.span());
        let values = others(parameters, span);
        let called = quote_spanned!(span=> __P::hook(#path(#(#values),*).await)?;);
        Some(match asked.is_empty() {
            true => called,
            false => quote_spanned!(span=> if #run.#asked() { #called }),
        })
    };
    let start = hook(&hooks.start, quote!(is_first));
    let resume = hook(&hooks.resume, quote!(is_resumed));
    let cancel = hook(&hooks.cancel, quote!(is_cancelled));
    let stop = hook(&hooks.stop, TokenStream::new());
    let complete = hook(&hooks.complete, quote!(is_complete));
    quote_spanned! {span=>
        |#call| __P::Box::pin(async move {
            let (#(#locals,)*) = #call.args::<__Spec>()?;
            let mut #run = __P::Iterating::begin(#call.context()).await;
            #start
            #resume
            if #run.is_running() {
                #open
                while let __P::Option::Some(#item) = #next {
                    #each
                }
            }
            #cancel
            #stop
            #complete
            #run.end()
        })
    }
}

/// The source, from where the job goes on. At its path, where rustc says what is wrong with it.
fn open(source: &Path, parameters: &[Parameter<'_>]) -> TokenStream {
    let span = Span::mixed_site().located_at(source.span());
    let Names { run, items, .. } = Names::at(span);
    let values = others(parameters, span);
    quote_spanned! {span=>
        let (cursor, cursor_of) = #run.cursor()?;
        let mut #items = #run.open(cursor_of, #source(#(#values,)* cursor))?;
    }
}

/// The next item of the source. At its path as well, so that what was said of it is not said again.
fn next(source: &Path) -> TokenStream {
    let span = Span::mixed_site().located_at(source.span());
    let Names { run, items, .. } = Names::at(span);
    quote_spanned!(span=> #run.next(&mut #items).await?)
}

/// One call of the function.
fn each(function: &Function, parameters: &[Parameter<'_>], names: &Names) -> TokenStream {
    let Names {
        call, run, span, ..
    } = names;
    let name = &function.sig.ident;
    let output = Ident::new("output", *span);
    let outcome = Ident::new("outcome", *span);
    let finish = quote_spanned! {*span=>
        let message = (&__P::Returned(&#output)).message();
        __P::finish::<__Spec>(#output, message)
    };
    let outcome_of = if function.is_async() {
        let values = values(parameters, *span, Copies::Made);
        quote_spanned! {*span=>
            let __P::Option::Some(#output) = #run.unless_cancelled(#name(#(#values),*)).await else {
                break;
            };
            let #outcome = { #finish };
        }
    } else {
        let values = values(parameters, *span, Copies::Taken);
        let locals = names.locals(parameters);
        let copies = copies(parameters, *span);
        quote_spanned! {*span=>
            let function = {
                let #call = __P::Clone::clone(&#call);
                let (#(#locals,)*) = (#(#copies,)*);
                __P::blocking(#call, move |#call| {
                    let #output = #name(#(#values),*);
                    #finish
                })
            };
            let __P::Option::Some(#outcome) = #run.unless_cancelled(function).await else {
                break;
            };
        }
    };
    quote_spanned! {*span=>
        #outcome_of
        if !#run.goes_on(#outcome)? {
            break;
        }
    }
}

/// How the job's arguments are handed over.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Copies {
    /// As copies, since the next item needs them as well.
    Made,
    /// Those that were made already.
    Taken,
}

/// What the source and the hooks are called with: all but the item.
fn others(parameters: &[Parameter<'_>], span: Span) -> Vec<TokenStream> {
    let is_item = |parameter: &Parameter<'_>| matches!(parameter, Parameter::Item(_));
    let values = values(parameters, span, Copies::Made);
    let values = parameters.iter().zip(values);
    values
        .filter_map(|(parameter, value)| (!is_item(parameter)).then_some(value))
        .collect()
}

/// What the function is called with. The item and the context stand at their types, where rustc says that they are others.
fn values(parameters: &[Parameter<'_>], span: Span, copies_are: Copies) -> Vec<TokenStream> {
    let Names { call, .. } = Names::at(span);
    let mut copies = copies(parameters, span).into_iter();
    let mut locals = (0..).map(|index| local(index, span));
    let value = |parameter: &Parameter<'_>| match parameter {
        Parameter::Item(item) => {
            Ident::new("item", span.located_at(item.ty.span())).into_token_stream()
        }
        Parameter::Argument(_) => {
            let (copy, local) = (copies.next(), locals.next());
            match copies_are {
                Copies::Made => copy.unwrap_or_default(),
                Copies::Taken => local.into_token_stream(),
            }
        }
        Parameter::State(ty) => quote_spanned!(span=> #call.state::<#ty>()),
        Parameter::Context(ty) => {
            let span = span.located_at(ty.span());
            let Names { call, .. } = Names::at(span);
            quote_spanned!(span=> #call.context())
        }
    };
    parameters.iter().map(value).collect()
}

/// A copy of each argument. Made at its type, where rustc says that it cannot be copied, and of that type, whatever it is wanted
/// for.
fn copies(parameters: &[Parameter<'_>], span: Span) -> Vec<TokenStream> {
    let copy = |(index, argument): (usize, &Argument<'_>)| {
        let at_type = span.located_at(argument.ty.span());
        let local = local(index, at_type);
        let clone = quote_spanned!(at_type=> __P::Clone::clone(&#local));
        quote_spanned!(span=> { let copy = #clone; copy })
    };
    arguments(parameters).enumerate().map(copy).collect()
}

/// The locals of the generated code.
struct Names {
    span: Span,
    call: Ident,
    run: Ident,
    items: Ident,
}

impl Names {
    fn at(span: Span) -> Self {
        let name = |name| Ident::new(name, span);
        Self {
            span,
            call: name("call"),
            run: name("run"),
            items: name("items"),
        }
    }

    /// The arguments.
    fn locals(&self, parameters: &[Parameter<'_>]) -> Vec<Ident> {
        let count = arguments(parameters).count();
        (0..count).map(|index| local(index, self.span)).collect()
    }
}
