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
    let [rest @ .., TokenTree::Ident(name)] = before else { return false };
    let is_another = match rest.last() {
        Some(TokenTree::Punct(mark)) => ".:".contains(mark.as_char()),
        Some(TokenTree::Ident(word)) => word == "fn",
        _ => false,
    };
    group.delimiter() == Delimiter::Parenthesis && taken.contains(&name.to_string()) && !is_another
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use super::*;

    #[track_caller]
    fn check(body: &str, expected: &str) {
        let told = told(TokenStream::from_str(body).unwrap_or_default()).to_string();
        // How tokens are spaced is nothing that a compiler sees.
        assert_eq!(told.replace(' ', ""), expected.replace(' ', ""));
    }

    #[test]
    fn a_call_of_a_step_whose_name_its_output_has_is_told() {
        check(
            "{ let mean = mean(rows()); mean(rows()).after(&mean); }",
            "{ let mean = mean(rows()); ::partita::clashing::<mean, _>(mean).after(&mean); }",
        );
        check(
            "let mut mean = mean(a).id(b); if c { report(&[mean(d)]) }",
            "let mut mean = mean(a).id(b); if c { report(&[::partita::clashing::<mean, _>(mean)]) }",
        );
    }

    #[test]
    fn whatever_else_has_the_name_stays_as_it_is() {
        for body in [
            "let mean = mean(a); mean::map(b); other.mean(c); steps::mean(d); fn mean(e: u8) {}",
            "let mean = average(a); mean(b);",
            "let mean = mean(a); let mean = |b| c(b); mean(d);",
            "{ let mean = mean(a); } mean(b);",
            "let mean = mean(mean(a)); report(mean);",
        ] {
            check(body, body);
        }
    }
}
