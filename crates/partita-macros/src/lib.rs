//! The macros of `partita`. They translate: whatever they write can be written by hand with the
//! functions of that crate. They are documented there, with examples, which need that crate to be tested: it
//! would be built once more for tests of this one.
//!
//! What the macros write allows `dead_code` and the like: whether an author uses it, and what they call
//! it, is nothing that a lint of code which they have not written should tell them.

#![allow(missing_docs, reason = "`partita` documents what it hands on")]

mod attributes;
mod clash;
mod command;
mod outputs;
mod pipeline;
mod signature;
mod step;

use proc_macro::TokenStream;

#[proc_macro_attribute]
pub fn step(attribute: TokenStream, item: TokenStream) -> TokenStream {
    step::expand(attribute.into(), item.into()).unwrap_or_else(|e| e.to_compile_error()).into()
}

#[proc_macro_attribute]
pub fn pipeline(attribute: TokenStream, item: TokenStream) -> TokenStream {
    pipeline::expand(attribute.into(), item.into()).unwrap_or_else(|e| e.to_compile_error()).into()
}

#[proc_macro_derive(Outputs)]
pub fn outputs(item: TokenStream) -> TokenStream {
    outputs::expand(item.into()).unwrap_or_else(|e| e.to_compile_error()).into()
}
