//! `#[pipeline]`: a function that calls steps becomes a pipeline.

use proc_macro2::TokenStream;
use quote::{ToTokens, format_ident, quote};
use syn::{ItemFn, Result, ReturnType, parse2};

use crate::attributes::Attributes;
use crate::clash;
use crate::signature::{self, Parameter};

pub(crate) fn expand(attribute: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let attributes: Attributes = parse2(attribute)?;
    let mut function: ItemFn = parse2(item)?;
    signature::check(&function, "pipeline")?;
    if let ReturnType::Type(_, returned) = &function.sig.output {
        let message = "a pipeline returns nothing: when it is called, no step has run";
        return Err(syn::Error::new_spanned(returned, message));
    }
    let hooks = [
        attributes.on_success.as_ref().map(|hook| quote!(.on_success(#hook))),
        attributes.on_failure.as_ref().map(|hook| quote!(.on_failure(#hook))),
    ];
    let hooks = hooks.iter().flatten();
    let parameters = signature::parameters(&mut function)?;
    let name = &function.sig.ident;
    let visibility = &function.vis;
    let text = name.to_string();
    let shown = attributes.name.as_ref().map_or_else(|| text.clone(), syn::LitStr::value);
    let options = attributes.options();
    let module = format_ident!("parameters_of_{name}");
    let markers = signature::markers(&module, &parameters);
    let declared = parameters.iter().map(|Parameter { name: own, owned, default, .. }| {
        let text = own.to_string();
        match default {
            None => quote!(.parameter::<#name, #module::#own, #owned>(#text)),
            Some(default) => {
                quote!(.parameter_with::<#name, #module::#own, #owned>(#text, #default))
            }
        }
    });
    let values = parameters.iter().map(|Parameter { name, owned, is_reference, .. }| {
        let text = name.to_string();
        let get = quote!(given.get::<#owned>(#text)?);
        if *is_reference { quote!(&#get) } else { get }
    });
    let given = if parameters.is_empty() { quote!(_) } else { quote!(given) };
    let (attributes, signature) = (&function.attrs, &function.sig);
    let body = clash::told(function.block.to_token_stream());
    let documentation = format!("The pipeline `{shown}` by its definition.");
    Ok(quote! {
        #markers

        #(#attributes)*
        #[allow(dead_code)]
        #visibility #signature #body

        #[doc = #documentation]
        #[allow(non_camel_case_types, dead_code)]
        #visibility struct #name {}

        impl #name {
            /// Returns the pipeline.
            #[allow(dead_code)]
            #visibility fn definition() -> ::partita::Pipeline {
                ::partita::Pipeline::new(#shown, concat!(module_path!(), "::", #text))
                    .at(file!(), line!())
                    .with(#options)
                    #(#hooks)*
                    #(#declared)*
                    .calls(|#given| {
                        #name(#(#values),*);
                        Ok(())
                    })
            }
        }
    })
}
