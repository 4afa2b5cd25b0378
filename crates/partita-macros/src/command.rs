//! `command = […]` of a step: the words of a command.

use proc_macro2::TokenStream;
use quote::quote;
use syn::parse::ParseStream;
use syn::{Expr, ExprArray, ExprLit, Ident, Lit, Member, Result};

use crate::signature::Parameter;

/// The command that a step is.
pub(crate) struct Command {
    is_script: bool,
    words: Vec<Expr>,
}

/// A part of a word.
enum Part {
    Text(syn::LitStr),
    Input(Ident),
    /// One of several, or the only one.
    Output(Option<Ident>),
}

impl Command {
    pub(crate) fn parse(is_script: bool, input: ParseStream<'_>) -> Result<Self> {
        let words: ExprArray = input.parse()?;
        if words.elems.is_empty() {
            return Err(syn::Error::new_spanned(words, "a command has a word at least"));
        }
        Ok(Self { is_script, words: words.elems.into_iter().collect() })
    }

    /// Returns an expression of type `Command`, of a step with these inputs.
    pub(crate) fn expression(&self, parameters: &[Parameter]) -> Result<TokenStream> {
        let mut words = self.words.iter();
        let begin = match (self.is_script, words.as_slice().first()) {
            (false, Some(first)) => {
                words.next();
                let Part::Text(name) = part(first, parameters)? else {
                    let message =
                        "the first word of a command is the text that names its executable";
                    return Err(syn::Error::new_spanned(first, message));
                };
                quote!(::partita::Command::new(#name))
            }
            _ => quote!(::partita::Command::script()),
        };
        let calls = words.map(|word| calls(word, parameters)).collect::<Result<Vec<_>>>()?;
        Ok(quote!(#begin #(#calls)*))
    }

    /// Returns an item that does not compile if a word is an output that the step does not make.
    pub(crate) fn check(&self, parameters: &[Parameter], returned: &TokenStream) -> TokenStream {
        let words = self.words.iter().flat_map(|word| match word {
            Expr::Tuple(tuple) => tuple.elems.iter().collect(),
            word => vec![word],
        });
        let outputs = words.filter_map(|word| match part(word, parameters) {
            Ok(Part::Output(name)) => name,
            _ => None,
        });
        quote! {
            const _: fn(&#returned) = |made| {
                let _ = made;
                #(let _ = &made.#outputs;)*
            };
        }
    }
}

fn calls(word: &Expr, parameters: &[Parameter]) -> Result<TokenStream> {
    let Expr::Tuple(tuple) = word else { return Ok(call(&part(word, parameters)?)) };
    let parts =
        tuple.elems.iter().map(|word| part(word, parameters)).collect::<Result<Vec<_>>>()?;
    let (count, calls) = (parts.len(), parts.iter().map(call));
    Ok(quote!(#(#calls)* .joined(#count)))
}

fn call(part: &Part) -> TokenStream {
    match part {
        Part::Text(text) => quote!(.text(#text)),
        Part::Input(name) => {
            let name = name.to_string();
            quote!(.input(#name))
        }
        Part::Output(name) => {
            let name = name.as_ref().map_or_else(|| "output".to_owned(), Ident::to_string);
            quote!(.output(#name))
        }
    }
}

fn part(word: &Expr, parameters: &[Parameter]) -> Result<Part> {
    match word {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Ok(Part::Text(text.clone())),
        Expr::Path(path) if path.path.is_ident("output") => Ok(Part::Output(None)),
        Expr::Field(field) => match (&*field.base, &field.member) {
            (Expr::Path(base), Member::Named(name)) if base.path.is_ident("output") => {
                Ok(Part::Output(Some(name.clone())))
            }
            (Expr::Path(base), Member::Named(name)) if base.path.is_ident("input") => {
                if parameters.iter().any(|parameter| parameter.name == *name) {
                    return Ok(Part::Input(name.clone()));
                }
                let known = parameters.iter().map(|parameter| parameter.name.to_string());
                let known = known.collect::<Vec<_>>().join("`, `");
                let message = format!("the step has no input `{name}`; it has `{known}`");
                Err(syn::Error::new_spanned(word, message))
            }
            _ => Err(no_part(word)),
        },
        _ => Err(no_part(word)),
    }
}

fn no_part(word: &Expr) -> syn::Error {
    let message = "a word is a text, `input.NAME`, `output.NAME`, `output`, or several of these in parentheses";
    syn::Error::new_spanned(word, message)
}
