//! `#[step]`: a function becomes a step.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{ItemFn, Result, parse2};

use crate::attributes::Attributes;
use crate::signature::{self, Parameter};

pub(crate) fn expand(attribute: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let attributes: Attributes = parse2(attribute)?;
    let mut function: ItemFn = parse2(item)?;
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
    let markers = markers(&name, &parameters);
    let definition = definition(&name, &attributes, &parameters, may_fail, &returned);
    let step_name = attributes.name.as_ref().map_or_else(|| name.to_string(), syn::LitStr::value);
    let hidden = format!("The step `{step_name}`: what it does by itself, and its definition.");

    let mut body = function.clone();
    body.sig.ident = format_ident!("function", span = name.span());
    body.vis = syn::parse_quote!(pub);
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
        }

        #definition
    })
}

/// Returns, for each parameter, what the function in a pipeline takes, and how that is passed on.
fn calls(
    step: &syn::Ident,
    parameters: &[Parameter],
) -> (Vec<TokenStream>, Vec<TokenStream>, Vec<TokenStream>) {
    let module = module(step);
    let mut all = (Vec::new(), Vec::new(), Vec::new());
    for Parameter { name, owned, .. } in parameters {
        let text = name.to_string();
        all.0.push(quote!(#name: impl ::partita::Feeds<#step, #module::#name, #owned>));
        all.1.push(quote!(#step, #module::#name, #owned));
        all.2.push(quote!(#text, #name));
    }
    all
}

fn module(step: &syn::Ident) -> syn::Ident {
    format_ident!("inputs_of_{step}")
}

/// Returns the types that stand for inputs in messages of the compiler.
fn markers(step: &syn::Ident, parameters: &[Parameter]) -> TokenStream {
    if parameters.is_empty() {
        return TokenStream::new();
    }
    let module = module(step);
    let names = parameters.iter().map(|parameter| &parameter.name);
    quote! {
        #[doc(hidden)]
        #[allow(non_camel_case_types, dead_code, missing_docs)]
        pub mod #module {
            #(pub enum #names {})*
        }
    }
}

fn definition(
    name: &syn::Ident,
    attributes: &Attributes,
    parameters: &[Parameter],
    may_fail: bool,
    returned: &TokenStream,
) -> TokenStream {
    let text = name.to_string();
    let shown = attributes.name.as_ref().map_or_else(|| text.clone(), syn::LitStr::value);
    let options = attributes.options();
    let hooks = [
        attributes.on_success.as_ref().map(|hook| quote!(.on_success(#hook))),
        attributes.on_failure.as_ref().map(|hook| quote!(.on_failure(#hook))),
    ];
    let hooks = hooks.iter().flatten();
    let inputs = parameters.iter().map(|Parameter { name, owned, .. }| {
        let text = name.to_string();
        quote!(.input::<#owned>(#text))
    });
    let values = parameters.iter().map(|Parameter { name, owned, is_reference, .. }| {
        let text = name.to_string();
        let take = quote!(inputs.take::<#owned>(#text)?);
        if *is_reference { quote!(&#take) } else { take }
    });
    let call = quote!(#name::function(#(#values),*));
    let call = if may_fail { quote!(#call?) } else { call };
    let inputs_name = if parameters.is_empty() { quote!(_) } else { quote!(inputs) };
    quote! {
        impl ::partita::StepSource for #name {
            const SOURCE: &'static str = concat!(module_path!(), "::", #text);

            fn definition() -> ::partita::Step {
                ::partita::Step::new(#shown)
                    .at(file!(), line!())
                    #(#inputs)*
                    .with(#options)
                    #(#hooks)*
                    .runs(|#inputs_name| {
                        let returned: #returned = #call;
                        Ok(returned)
                    })
            }
        }
    }
}
