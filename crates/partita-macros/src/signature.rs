//! The signature of an author's function, as far as steps and pipelines have to know it.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote};
use syn::{
    Attribute, Expr, FnArg, GenericArgument, Ident, ItemFn, Pat, PathArguments, Result, ReturnType,
    Type,
};

use crate::attributes;

/// A parameter of a function.
pub(crate) struct Parameter {
    pub(crate) name: Ident,
    /// The type of the value that is loaded for it.
    pub(crate) owned: Type,
    /// Where the type that the function takes ends.
    pub(crate) end: Span,
    /// Whether the function takes a reference to that.
    pub(crate) is_reference: bool,
    pub(crate) default: Option<Expr>,
}

/// Refuses what neither a step nor a pipeline can be; `what` is one of both.
pub(crate) fn check(function: &ItemFn, what: &str) -> Result<()> {
    let signature = &function.sig;
    let refuse = |tokens: &dyn ToTokens, why: &str| {
        Err(syn::Error::new_spanned(tokens.to_token_stream(), format!("a {what} {why}")))
    };
    if let Some(asyncness) = &signature.asyncness {
        return refuse(asyncness, "is no `async` function; block on what it waits for");
    }
    if let Some(unsafety) = &signature.unsafety {
        return refuse(unsafety, "is no `unsafe` function");
    }
    if !signature.generics.params.is_empty() {
        return refuse(
            &signature.generics,
            "has no generics: its types are known when it is written",
        );
    }
    Ok(())
}

/// Returns the parameters of a function; takes their defaults out of it.
pub(crate) fn parameters(function: &mut ItemFn) -> Result<Vec<Parameter>> {
    function.sig.inputs.iter_mut().map(parameter).collect()
}

fn parameter(argument: &mut FnArg) -> Result<Parameter> {
    let FnArg::Typed(typed) = argument else {
        return Err(syn::Error::new_spanned(argument, "a step or pipeline is no method"));
    };
    let default = attributes::default(&mut typed.attrs)?;
    let Pat::Ident(pattern) = &*typed.pat else {
        return Err(syn::Error::new_spanned(&typed.pat, "each parameter needs a name"));
    };
    let (owned, is_reference) = owned(&typed.ty)?;
    let last = typed.ty.to_token_stream().into_iter().last();
    let end = last.map_or_else(Span::call_site, |token| token.span());
    Ok(Parameter { name: pattern.ident.clone(), owned, end, is_reference, default })
}

/// Returns the type whose values can be loaded, and whether `taken` is a reference to it.
fn owned(taken: &Type) -> Result<(Type, bool)> {
    let Type::Reference(reference) = taken else { return Ok((taken.clone(), false)) };
    if reference.mutability.is_some() {
        return Err(syn::Error::new_spanned(taken, "take the value itself in place of `&mut`"));
    }
    let owned = match &*reference.elem {
        Type::Slice(slice) => {
            let element = &slice.elem;
            syn::parse_quote!(::std::vec::Vec<#element>)
        }
        Type::Path(path) if path.path.is_ident("str") => syn::parse_quote!(::std::string::String),
        other => other.clone(),
    };
    Ok((owned, true))
}

/// Returns the type that a function returns where nothing fails, and whether something may.
pub(crate) fn returned(output: &ReturnType) -> (TokenStream, bool) {
    let ReturnType::Type(_, returned) = output else { return (quote!(()), false) };
    if let Type::Path(path) = &**returned
        && let Some(last) = path.path.segments.last()
        && last.ident == "Result"
        && let PathArguments::AngleBracketed(arguments) = &last.arguments
        && let Some(GenericArgument::Type(value)) = arguments.args.first()
    {
        return (quote!(#value), true);
    }
    (quote!(#returned), false)
}

/// Returns what documents an item.
pub(crate) fn documentation(attributes: &[Attribute]) -> Vec<&Attribute> {
    attributes.iter().filter(|found| found.path().is_ident("doc")).collect()
}

/// Returns a module of types that stand for parameters in messages of the compiler.
pub(crate) fn markers(module: &Ident, parameters: &[Parameter]) -> TokenStream {
    if parameters.is_empty() {
        return TokenStream::new();
    }
    let names = parameters.iter().map(|parameter| &parameter.name);
    quote! {
        #[doc(hidden)]
        #[allow(non_camel_case_types, dead_code, missing_docs)]
        pub mod #module {
            #(pub enum #names {})*
        }
    }
}
