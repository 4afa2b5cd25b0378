//! What stands in the parentheses of `step` and `pipeline`.

use crate::command::Command;
use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Expr, ExprLit, Ident, Lit, LitStr, Path, Result, Token, parenthesized};

/// The keys, and in which function of `Options` each ends.
const OPTIONS: [(&str, &str); 18] = [
    ("retry.max", "max_retries"),
    ("retry.delay", "retry_delay"),
    ("retry.backoff", "retry_backoff"),
    ("timeout", "timeout"),
    ("resources.cpu", "cpu_count"),
    ("resources.memory", "memory"),
    ("resources.gpu", "gpu_count"),
    ("resources.gpu_class", "gpu_class"),
    ("cache", "enable_cache"),
    ("cache_version", "cache_version"),
    ("cache_files", "cache_files"),
    ("cache_environment", "cache_environment"),
    ("cache_expiry", "cache_expiry"),
    ("orchestrator", "orchestrator"),
    ("orchestrator_settings", "orchestrator_settings"),
    ("limits", "limits"),
    ("failure_mode", "failure_mode"),
    ("name", ""),
];

/// The options of a step or a pipeline.
#[derive(Default)]
pub(crate) struct Attributes {
    pub(crate) name: Option<LitStr>,
    pub(crate) on_success: Option<Path>,
    pub(crate) on_failure: Option<Path>,
    /// How its outputs are stored, in `Format`.
    pub(crate) format: Option<Ident>,
    /// The command that the step is.
    pub(crate) command: Option<Command>,
    /// The calls that set the options.
    calls: Vec<TokenStream>,
}

impl Attributes {
    /// Returns an expression of type `Options`, with the place of this name as theirs.
    pub(crate) fn options(&self) -> TokenStream {
        let calls = &self.calls;
        quote!(::partita::Options::new() #(#calls)* .at(file!(), line!()))
    }

    fn take(&mut self, section: Option<&Ident>, input: ParseStream<'_>) -> Result<()> {
        let key: Ident = input.parse()?;
        if section.is_none() && (key == "retry" || key == "resources") {
            let inner;
            parenthesized!(inner in input);
            while !inner.is_empty() {
                self.take(Some(&key), &inner)?;
                if !inner.is_empty() {
                    inner.parse::<Token![,]>()?;
                }
            }
            return Ok(());
        }
        let path = section.map_or_else(|| key.to_string(), |section| format!("{section}.{key}"));
        if section.is_none() && (key == "command" || key == "shell") {
            input.parse::<Token![=]>()?;
            self.command = Some(Command::parse(key == "shell", input)?);
            return Ok(());
        }
        let known = OPTIONS.iter().find(|(known, _)| *known == path);
        let is_own = section.is_none()
            && ["on_success", "on_failure", "format"].iter().any(|own| key == own);
        if known.is_none() && !is_own {
            return Err(unknown(&key, section));
        }
        input.parse::<Token![=]>()?;
        match key.to_string().as_str() {
            "on_success" => self.on_success = Some(input.parse()?),
            "on_failure" => self.on_failure = Some(input.parse()?),
            "format" => self.format = Some(format(&input.parse()?)?),
            "name" => self.name = Some(text(input.parse()?)?),
            _ => {
                let value: Expr = input.parse()?;
                let method =
                    format_ident!("{}", known.map_or("", |known| known.1), span = key.span());
                self.calls.push(quote!(.#method(#value)));
            }
        }
        Ok(())
    }
}

impl Parse for Attributes {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut attributes = Self::default();
        while !input.is_empty() {
            attributes.take(None, input)?;
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(attributes)
    }
}

fn text(value: Expr) -> Result<LitStr> {
    match value {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Ok(text),
        other => Err(syn::Error::new_spanned(other, "a name is a text, as in `name = \"train\"`")),
    }
}

/// Returns which of `Format` a text is.
fn format(text: &LitStr) -> Result<Ident> {
    match text.value().as_str() {
        "json" => Ok(Ident::new("Json", text.span())),
        "binary" => Ok(Ident::new("Binary", text.span())),
        other => {
            let message = format!("`{other}` is no format; there are `json` and `binary`");
            Err(syn::Error::new(text.span(), message))
        }
    }
}

fn unknown(key: &Ident, section: Option<&Ident>) -> syn::Error {
    let prefix = section.map(|section| format!("{section}.")).unwrap_or_default();
    let mut known: Vec<&str> = OPTIONS
        .iter()
        .filter_map(|(path, _)| path.strip_prefix(&prefix))
        .map(|path| path.split('.').next().unwrap_or(path))
        .collect();
    if section.is_none() {
        known.extend(["format", "command", "shell", "on_success", "on_failure"]);
    }
    known.dedup();
    let place = section.map(|section| format!(" of `{section}`")).unwrap_or_default();
    let known = known.join("`, `");
    syn::Error::new(key.span(), format!("`{key}` is no option{place}; there are `{known}`"))
}

/// Returns a text as a `String`, and any other expression as it is.
fn owned(value: Expr) -> Expr {
    match &value {
        Expr::Lit(ExprLit { lit: Lit::Str(_), .. }) => {
            syn::parse_quote!(::std::string::String::from(#value))
        }
        _ => value,
    }
}

/// Returns the expression in `#[default(…)]` among attributes, and takes it out of them.
pub(crate) fn default(attributes: &mut Vec<syn::Attribute>) -> Result<Option<Expr>> {
    let Some(place) = attributes.iter().position(|found| found.path().is_ident("default")) else {
        return Ok(None);
    };
    let found = attributes.remove(place);
    let parser = Punctuated::<Expr, Token![,]>::parse_terminated;
    let values = found.parse_args_with(parser)?;
    match values.len() {
        1 => Ok(values.into_iter().next().map(owned)),
        _ => Err(syn::Error::new_spanned(found, "a default is one value, as in `#[default(3)]`")),
    }
}
