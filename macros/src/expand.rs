//! The generated code: the function, a type of its name, and in one `const _` what belongs to that type.
//!
//! Items of a procedural macro have no hygiene, so every generated item begins with `__`; every generated local or parameter
//! is `mixed_site`, so that a job can have parameters called `at` or `call`. The user's types stand only in the private
//! `__Spec` and in signatures: as associated types of the public type, private ones would be errors. Everything is named
//! through one import, so shadowed names do no harm and a wrong `crate = path` is one error.

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::ReturnType;
use syn::spanned::Spanned as _;

use crate::attr::{Backtrace, Options, Retry};
use crate::class_name::class_name;
use crate::iterate;
use crate::signature::Function;
use crate::validate::{Argument, Parameter};
use crate::{rules, type_text, versions};

/// The function and its job.
pub(crate) fn job(
    function: &Function,
    parameters: &[Parameter<'_>],
    options: &Options,
) -> TokenStream {
    let vis = &function.vis;
    let name = &function.sig.ident;
    let attrs = function.shared_attrs();
    let doc = (!function.is_documented()).then(|| {
        let text = format!("The job of the function `{}`.", function.name());
        quote!(#[doc = #text])
    });
    let cfgs = function.cfgs();
    let import = match &options.krate {
        // At the path, where rustc then says that there is none.
        Some(path) => quote_spanned!(path.span()=> use #path::__private as __P;),
        None => quote!(
            use ::sancho::__private as __P;
        ),
    };
    let definition = definition(function, parameters, options);
    let performs = performs(function, parameters);
    quote! {
        #function

        #(#attrs)*
        #doc
        #[allow(non_camel_case_types, missing_debug_implementations, clippy::exhaustive_structs)]
        #vis struct #name {}

        #(#cfgs)*
        #[allow(
            deprecated,
            private_interfaces,
            unreachable_pub,
            unnameable_types,
            missing_debug_implementations,
            clippy::too_many_arguments,
            clippy::impl_trait_in_params
        )]
        const _: () = {
            #import
            use __P::{OfAny as _, OfError as _};
            #definition
            #performs
        };
    }
}

/// The job as data, and its registration.
fn definition(function: &Function, parameters: &[Parameter<'_>], options: &Options) -> TokenStream {
    let ident = &function.sig.ident;
    let name = function.name();
    let class = options.class.clone().unwrap_or_else(|| class_name(&name));
    let queue = options.queue.as_deref().unwrap_or("default");
    let Options { aliases, tags, .. } = options;
    let retry = match options.retry.unwrap_or(Retry::Default) {
        Retry::Default => quote!(Default),
        Retry::Never => quote!(Never),
        Retry::Times(times) => quote!(Times(#times)),
    };
    let seconds = |seconds| quote!(__P::Duration::from_secs(#seconds));
    let retry_for = option(options.retry_for.map(seconds));
    let timeout = option(options.timeout.map(seconds));
    let retry_queue = option(options.retry_queue.as_ref());
    let dead = option(options.dead);
    let backtrace = option(options.backtrace.map(|backtrace| match backtrace {
        Backtrace::None => quote!(__P::Backtrace::None),
        Backtrace::All => quote!(__P::Backtrace::All),
        Backtrace::Lines(lines) => quote!(__P::Backtrace::Lines(#lines)),
    }));
    let cron = option(options.cron.as_ref().map(|cron| {
        let tz = option(options.tz.as_ref());
        quote!(__P::CronInfo::new(#cron, #tz))
    }));
    let args = arguments(parameters).enumerate().map(|(index, argument)| {
        let name = public_name(argument, index).to_string();
        let name = name.trim_start_matches("r#");
        let ty = type_text::of(argument.ty);
        quote!(__P::ArgInfo::new(#name, #ty))
    });
    let states = parameters.iter().filter_map(|parameter| match parameter {
        Parameter::State(ty) => Some(quote!(__P::StateInfo::of::<#ty>())),
        _ => None,
    });
    let policy = rules::policy(options);
    let version = options.version.unwrap_or(1);
    let older = versions::older(options);
    let run = match options.iterates {
        true => iterate::run(function, parameters, options),
        false => run(function, parameters),
    };
    let tuple = tuple(function, parameters);
    let output = match &function.sig.output {
        ReturnType::Default => quote!(()),
        ReturnType::Type(_, ty) => ty.to_token_stream(),
    };
    quote! {
        __P::register!(__JOB);

        static __JOB: __P::Definition = __P::Definition {
            name: #name,
            class: #class,
            aliases: &[#(#aliases),*],
            queue: #queue,
            retry: __P::Retry::#retry,
            retry_for: #retry_for,
            retry_queue: #retry_queue,
            dead: #dead,
            backtrace: #backtrace,
            tags: &[#(#tags),*],
            timeout: #timeout,
            policy: #policy,
            version: #version,
            cron: #cron,
            location: __P::Location::new(::core::file!(), ::core::line!()),
            args: &[#(#args),*],
            states: &[#(#states),*],
            run: #run,
        };

        struct __Spec;

        impl __P::Spec for __Spec {
            type Args = #tuple;
            type Output = #output;
            const DEFINITION: &'static __P::Definition = &__JOB;
            #older
        }

        impl __P::Job for #ident {
            const DEFINITION: &'static __P::Definition = &__JOB;
            type Typed = __Set;
        }

        impl __P::Takes<#tuple> for #ident {}
    }
}

pub(crate) fn option<T: ToTokens>(value: Option<T>) -> TokenStream {
    match value {
        Some(value) => quote!(__P::Option::Some(#value)),
        None => quote!(__P::Option::None),
    }
}

/// Decodes the arguments and calls the function. The future owns the call, so the function can borrow from it.
fn run(function: &Function, parameters: &[Parameter<'_>]) -> TokenStream {
    let name = &function.sig.ident;
    // rustc's complaint that the future is not `Send` stands where these tokens do.
    let span = Span::mixed_site().located_at(name.span());
    let call = Ident::new("call", span);
    let locals = (0..arguments(parameters).count()).map(|index| local(index, span));
    let mut index = 0;
    let values = parameters.iter().map(|parameter| match parameter {
        Parameter::Argument(_) | Parameter::Item(_) => {
            let local = local(index, span);
            index += 1;
            quote!(#local)
        }
        Parameter::State(ty) => quote!(#call.state::<#ty>()),
        Parameter::Context(ty) => {
            // At the type, where rustc says that it is another one.
            let span = span.located_at(ty.span());
            let call = Ident::new("call", span);
            quote_spanned!(span=> #call.context())
        }
    });
    let decode = quote_spanned!(span=> let (#(#locals,)*) = #call.args::<__Spec>()?;);
    let output = Ident::new("output", span);
    let finish = quote_spanned! {span=>
        let message = (&__P::Returned(&#output)).message();
        __P::finish::<__Spec>(#output, message)
    };
    if function.is_async() {
        quote_spanned! {span=>
            |#call| __P::Box::pin(async move {
                #decode
                let #output = #name(#(#values),*).await;
                #finish
            })
        }
    } else {
        quote_spanned! {span=>
            |#call| __P::Box::pin(__P::blocking(#call, move |#call| {
                #decode
                let #output = #name(#(#values),*);
                #finish
            }))
        }
    }
}

/// The functions that enqueue, once for the job's type and once for `set()`.
fn performs(function: &Function, parameters: &[Parameter<'_>]) -> TokenStream {
    let name = &function.sig.ident;
    let plain = functions(parameters, &TokenStream::new(), &quote!(__P::Option::None));
    let set = functions(
        parameters,
        &quote!(&self,),
        &quote!(__P::Option::Some(&self.0)),
    );
    quote! {
        impl #name {
            #plain
            /// Options for the push that follows.
            pub fn set() -> __P::Set<Self> {
                __P::set()
            }
        }

        /// What `set()` gives.
        pub struct __Set(__P::SetOptions);

        impl __P::TypedSet for __Set {
            fn new(options: __P::SetOptions) -> Self {
                Self(options)
            }
            fn options(&mut self) -> &mut __P::SetOptions {
                &mut self.0
            }
        }

        impl __Set {
            #set
        }
    }
}

fn functions(
    parameters: &[Parameter<'_>],
    receiver: &TokenStream,
    options: &TokenStream,
) -> TokenStream {
    let names: Vec<_> = arguments(parameters)
        .enumerate()
        .map(|(index, argument)| public_name(argument, index))
        .collect();
    let types: Vec<_> = arguments(parameters).map(|argument| argument.ty).collect();
    let params = quote!(#(#names: #types),*);
    let args = quote!((#(#names,)*));
    let delay = Ident::new("delay", Span::mixed_site());
    let at = Ident::new("at", Span::mixed_site());
    let items = Ident::new("items", Span::mixed_site());
    // The items of one argument may be bare values.
    let (item, [each, timed, streamed]) = match &types[..] {
        [ty] => (
            quote!(impl __P::Item<#ty>),
            [quote!(items), quote!(items_at), quote!(items_of)].map(|of| quote!(__P::#of(#items))),
        ),
        _ => (
            quote!((#(#types),*)),
            std::array::from_fn(|_| quote!(#items)),
        ),
    };
    quote! {
        /// Enqueues the job.
        pub fn perform_async(#receiver #params) -> __P::Push {
            __P::push::<__Spec>(#options, #args)
        }
        /// Enqueues the job for later.
        pub fn perform_in(#receiver #delay: __P::Duration, #params) -> __P::Push {
            __P::push_in::<__Spec>(#options, #delay, #args)
        }
        /// Enqueues the job for this time; one that has passed means now.
        pub fn perform_at(#receiver #at: __P::DateTime<__P::Utc>, #params) -> __P::Push {
            __P::push_at::<__Spec>(#options, #at, #args)
        }
        /// Enqueues a job for each item, 1,000 in a round trip. No items are an error.
        pub fn perform_bulk(
            #receiver
            #items: impl __P::IntoIterator<Item = #item, IntoIter: __P::Send + 'static>,
        ) -> __P::BulkPush {
            __P::push_bulk::<__Spec>(#options, #each)
        }
        /// Enqueues a job for each item, at the item's own time; one that has passed means now. An item is a time and arguments.
        /// No items are an error.
        pub fn perform_bulk_at(
            #receiver
            #items: impl __P::IntoIterator<
                Item = (__P::DateTime<__P::Utc>, #item),
                IntoIter: __P::Send + 'static,
            >,
        ) -> __P::BulkPush {
            __P::push_bulk_at::<__Spec>(#options, #timed)
        }
        /// Enqueues a job for each item that can be pushed, and gives an outcome for each. No items are an error.
        pub fn perform_bulk_each(
            #receiver
            #items: impl __P::IntoIterator<Item = #item, IntoIter: __P::Send + 'static>,
        ) -> __P::BulkEach {
            __P::push_bulk_each::<__Spec>(#options, #each)
        }
        /// Enqueues a job for each item of a stream. One that ends without any is an error.
        pub fn perform_bulk_stream(
            #receiver
            #items: impl __P::Stream<Item = #item> + __P::Send + 'static,
        ) -> __P::BulkPush {
            __P::push_bulk_stream::<__Spec>(#options, #streamed)
        }
        /// Runs the job here and now, as it would run from the queue, with client and server middleware.
        pub fn perform_inline(#receiver #params) -> __P::Inline {
            __P::inline::<__Spec>(#options, #args)
        }
    }
}

/// The tuple of the arguments. It has the place of the one type, or of the parameter list, for rustc to point at when a type
/// cannot be an argument.
fn tuple(function: &Function, parameters: &[Parameter<'_>]) -> TokenStream {
    let types: Vec<_> = arguments(parameters).map(|argument| argument.ty).collect();
    let mut tuple = Group::new(Delimiter::Parenthesis, quote!(#(#types,)*));
    tuple.set_span(match &types[..] {
        [ty] => ty.span(),
        _ => function.sig.paren_token.span.join(),
    });
    tuple.into_token_stream()
}

pub(crate) fn arguments<'a>(
    parameters: &'a [Parameter<'a>],
) -> impl Iterator<Item = &'a Argument<'a>> + Clone {
    parameters.iter().filter_map(|parameter| match parameter {
        Parameter::Argument(argument) => Some(argument),
        _ => None,
    })
}

/// The name in the functions that enqueue: the user's, or one for a pattern.
fn public_name(argument: &Argument<'_>, index: usize) -> Ident {
    argument
        .name
        .cloned()
        .unwrap_or_else(|| local(index, Span::mixed_site()))
}

pub(crate) fn local(index: usize, span: Span) -> Ident {
    Ident::new(&format!("arg{index}"), span)
}
