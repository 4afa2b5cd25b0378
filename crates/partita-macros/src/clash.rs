//! Names that a pipeline gives to an output although they are those of steps, which it calls by them
//! afterwards, as in `let mean = mean(numbers()); mean(numbers());`. All that the compiler knows of that
//! is that an output is no function.

use std::collections::BTreeSet;

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use quote::quote_spanned;

/// Returns the body of a pipeline, where such a call says which step is meant and what has its name.
pub(crate) fn told(body: TokenStream) -> TokenStream {
    rewritten(body, BTreeSet::new())
}

/// Rewrites the calls of names that are `taken`, in a block or any other group.
fn rewritten(tokens: TokenStream, mut taken: BTreeSet<String>) -> TokenStream {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut made: Vec<TokenTree> = Vec::new();
    // A name is another one from the next statement on.
    let mut given = None;
    for (at, token) in tokens.iter().enumerate() {
        match token {
            TokenTree::Group(group) => {
                if let Some(name) = is_call(&made, group, &taken).then(|| made.pop()).flatten() {
                    let span = name.span();
                    made.extend(quote_spanned!(span=> ::partita::clashing::<#name, _>(#name)));
                    continue;
                }
                let inner = rewritten(group.stream(), taken.clone());
                let mut inner = Group::new(group.delimiter(), inner);
                inner.set_span(group.span());
                made.push(inner.into());
                continue;
            }
            TokenTree::Ident(word) if word == "let" => given = name(&tokens[at + 1..]),
            TokenTree::Punct(end) if end.as_char() == ';' => {
                if let Some((name, is_taken)) = given.take() {
                    taken.remove(&name);
                    taken.extend(is_taken.then_some(name));
                }
            }
            _ => {}
        }
        made.push(token.clone());
    }
    made.into_iter().collect()
}

/// Returns the name that a `let` gives, by what follows it, and whether it is that of the step which it
/// calls.
fn name(rest: &[TokenTree]) -> Option<(String, bool)> {
    let is_mut = matches!(rest.first(), Some(TokenTree::Ident(word)) if word == "mut");
    let rest = &rest[usize::from(is_mut)..];
    let Some(TokenTree::Ident(name)) = rest.first() else { return None };
    let is_taken = matches!(
        rest.get(1..4),
        Some([TokenTree::Punct(is), TokenTree::Ident(called), TokenTree::Group(inputs)])
            if is.as_char() == '=' && called == name && inputs.delimiter() == Delimiter::Parenthesis
    );
    Some((name.to_string(), is_taken))
}

/// Returns whether a group has the inputs of a call by a taken name, which stands before it.
fn is_call(before: &[TokenTree], group: &Group, taken: &BTreeSet<String>) -> bool {
    let [.., TokenTree::Ident(name)] = before else { return false };
    let is_part =
        matches!(before, [.., TokenTree::Punct(mark), _] if ".:".contains(mark.as_char()));
    group.delimiter() == Delimiter::Parenthesis && taken.contains(&name.to_string()) && !is_part
}
