//! `#[step]`: a function becomes a step.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::parse::{ParseStream, Parser};
use syn::{Attribute, ItemFn, Result, Token, parse2};

use crate::attributes::Attributes;
use crate::signature::{self, Parameter};

pub(crate) fn expand(attribute: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let attributes: Attributes = parse2(attribute)?;
    let mut function = function(item, attributes.command.is_some())?;
    signature::check(&function, "step")?;
    let parameters = signature::parameters(&mut function)?;
    if let Some(default) = parameters.iter().find_map(|parameter| parameter.default.as_ref()) {
        let message = "a step has no defaults; take an `Option`, or give the value in the pipeline";
        return Err(syn::Error::new_spanned(default, message));
    }
    let name = function.sig.ident.clone();
    let visibility = function.vis.clone();
    let (returned, may_fail) = signature::returned(&function.sig.output);
    let documentation = signature::documentation(&function.attrs);
    let (inputs, arguments, gives) = calls(&name, &parameters);
    let markers = signature::markers(&module(&name), &parameters);
    let check = attributes.command.as_ref().map(|command| command.check(&parameters, &returned));
    let map = map(&name, &visibility, &parameters, &returned);
    let does = match &attributes.command {
        Some(command) => starts(command.expression(&parameters)?, &returned),
        None => runs(&name, &parameters, may_fail, &returned),
    };
    let definition = definition(&name, &attributes, &parameters, does);
    let step_name = attributes.name.as_ref().map_or_else(|| name.to_string(), syn::LitStr::value);
    let hidden = format!("The step `{step_name}`: what it does by itself, and its definition.");

    let mut body = function.clone();
    body.sig.ident = format_ident!("function", span = name.span());
    body.vis = syn::parse_quote!(pub);
    let body = attributes.command.is_none().then_some(body);
    Ok(quote! {
        #markers

        #(#documentation)*
        #[allow(dead_code, clippy::too_many_arguments)]
        #[track_caller]
        #visibility fn #name<Kind>(#(#inputs),*) -> <#returned as ::partita::Returned<Kind>>::Handles
        where
            #returned: ::partita::Returned<Kind>,
        {
            ::partita::Call::of::<#name>()
                #(.give::<#arguments>(#gives))*
                .returns::<#returned, Kind>()
        }

        #[doc = #hidden]
        #[allow(non_camel_case_types, dead_code)]
        #visibility struct #name {}

        #[allow(dead_code, clippy::too_many_arguments)]
        impl #name {
            #body
            #map
        }

        #check
        #definition
    })
}

/// Returns the author's function; that of a command has no body.
fn function(item: TokenStream, is_command: bool) -> Result<ItemFn> {
    if !is_command {
        return parse2(item);
    }
    let declared = |input: ParseStream<'_>| {
        let attrs = input.call(Attribute::parse_outer)?;
        let (vis, sig) = (input.parse()?, input.parse()?);
        if input.peek(syn::token::Brace) {
            let message = "a step that is a command has no body: write `;` after what it returns";
            return Err(input.error(message));
        }
        input.parse::<Token![;]>()?;
        Ok(ItemFn { attrs, vis, sig, block: syn::parse_quote!({}) })
    };
    declared.parse2(item)
}

/// Returns, for each parameter, what the function in a pipeline takes, and how that is passed on.
fn calls(
    step: &syn::Ident,
    parameters: &[Parameter],
) -> (Vec<TokenStream>, Vec<TokenStream>, Vec<TokenStream>) {
    let module = module(step);
    let mut all = (Vec::new(), Vec::new(), Vec::new());
    for Parameter { name, owned, end, .. } in parameters {
        let text = name.to_string();
        // Where it ends is the author's, so that messages show the whole input as it was written.
        let last = quote_spanned!(*end=> >);
        all.0.push(quote!(#name: impl ::partita::Feeds<#step, #module::#name, #owned #last));
        all.1.push(quote!(#step, #module::#name, #owned));
        all.2.push(quote!(#text, #name));
    }
    all
}

/// Returns the function that maps a step over its first input.
fn map(
    step: &syn::Ident,
    visibility: &syn::Visibility,
    parameters: &[Parameter],
    returned: &TokenStream,
) -> Option<TokenStream> {
    let (first, others) = parameters.split_first()?;
    let (module, Parameter { name, owned, .. }) = (module(step), first);
    let text = name.to_string();
    let (inputs, arguments, gives) = calls(step, others);
    let documentation = format!(
        "Has a pipeline use the step for each item of a list, which is its input `{name}`."
    );
    Some(quote! {
        #[doc = #documentation]
        #[track_caller]
        #visibility fn map<Kind>(
            #name: impl ::partita::FeedsEach<#step, #module::#name, #owned>,
            #(#inputs),*
        ) -> <#returned as ::partita::Returned<Kind>>::Mapped
        where
            #returned: ::partita::Returned<Kind>,
        {
            ::partita::Call::of::<#step>()
                .each::<#step, #module::#name, #owned>(#text, #name)
                #(.give::<#arguments>(#gives))*
                .returns_each::<#returned, Kind>()
        }
    })
}

fn module(step: &syn::Ident) -> syn::Ident {
    format_ident!("inputs_of_{step}")
}

fn definition(
    name: &syn::Ident,
    attributes: &Attributes,
    parameters: &[Parameter],
    does: TokenStream,
) -> TokenStream {
    let text = name.to_string();
    let shown = attributes.name.as_ref().map_or_else(|| text.clone(), syn::LitStr::value);
    let options = attributes.options();
    let format = attributes.format.as_ref();
    let format = format.map(|format| quote!(.stored_as(::partita::Format::#format)));
    let hooks = [
        attributes.on_success.as_ref().map(|hook| quote!(.on_success(#hook))),
        attributes.on_failure.as_ref().map(|hook| quote!(.on_failure(#hook))),
    ];
    let hooks = hooks.iter().flatten();
    let inputs = parameters.iter().map(|Parameter { name, owned, .. }| {
        let text = name.to_string();
        quote!(.input::<#owned>(#text))
    });
    quote! {
        impl ::partita::StepSource for #name {
            const SOURCE: &'static str = concat!(module_path!(), "::", #text);

            fn definition() -> ::partita::Step {
                ::partita::Step::new(#shown)
                    .at(file!(), line!())
                    #(#inputs)*
                    .with(#options)
                    #format
                    #(#hooks)*
                    #does
            }
        }
    }
}

/// Returns the call that sets the function that a step calls.
fn runs(
    name: &syn::Ident,
    parameters: &[Parameter],
    may_fail: bool,
    returned: &TokenStream,
) -> TokenStream {
    let values = parameters.iter().map(|Parameter { name, owned, is_reference, .. }| {
        let text = name.to_string();
        let take = quote!(inputs.take::<#owned>(#text)?);
        if *is_reference { quote!(&#take) } else { take }
    });
    let call = quote!(#name::function(#(#values),*));
    let call = if may_fail { quote!(#call?) } else { call };
    let inputs_name = if parameters.is_empty() { quote!(_) } else { quote!(inputs) };
    // What cannot be returned is shown where it is written.
    let written = returned.clone().into_iter().next().map_or_else(Span::call_site, |t| t.span());
    let runs = quote_spanned!(written=> runs);
    quote! {
        .#runs(|#inputs_name| {
            let returned: #returned = #call;
            Ok(returned)
        })
    }
}

/// Returns the call that sets the command that a step is.
fn starts(command: TokenStream, returned: &TokenStream) -> TokenStream {
    quote!(.starts::<#returned, _>(#command))
}
