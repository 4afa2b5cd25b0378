//! `#[derive(Outputs)]`: the fields of a struct become outputs.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{Data, DeriveInput, Fields, Result, parse2};

pub(crate) fn expand(item: TokenStream) -> Result<TokenStream> {
    let input: DeriveInput = parse2(item)?;
    let refuse = || {
        syn::Error::new_spanned(
            &input.ident,
            "outputs are the named fields of a struct without generics",
        )
    };
    let Data::Struct(data) = &input.data else { return Err(refuse()) };
    let Fields::Named(fields) = &data.fields else { return Err(refuse()) };
    if !input.generics.params.is_empty() || fields.named.is_empty() {
        return Err(refuse());
    }
    let (name, visibility) = (&input.ident, &input.vis);
    let handles = format_ident!("{name}Handles");
    let names: Vec<_> = fields.named.iter().filter_map(|field| field.ident.as_ref()).collect();
    let types: Vec<_> = fields.named.iter().map(|field| &field.ty).collect();
    let mapped = format_ident!("{name}MappedHandles");
    let visibilities: Vec<_> = fields.named.iter().map(|field| &field.vis).collect();
    let texts: Vec<String> = names.iter().map(ToString::to_string).collect();
    let documentation = format!("What stands for the outputs `{}`.", texts.join("`, `"));
    Ok(quote! {
        #[doc = #documentation]
        #[derive(Debug, Clone)]
        #[allow(dead_code, missing_docs)]
        #visibility struct #handles {
            #(#visibilities #names: ::partita::Output<#types>,)*
            invoked_step: ::partita::Invoked,
        }

        #[doc = #documentation]
        #[derive(Debug, Clone)]
        #[allow(dead_code, missing_docs)]
        #visibility struct #mapped {
            #(#visibilities #names: ::partita::Output<::std::vec::Vec<#types>>,)*
            invoked_step: ::partita::Invoked,
        }

        impl ::partita::Invocation for #handles {
            fn invoked(&self) -> &::partita::Invoked {
                &self.invoked_step
            }
        }

        impl ::partita::Invocation for #mapped {
            fn invoked(&self) -> &::partita::Invoked {
                &self.invoked_step
            }
        }

        impl ::partita::Outputs for #name {
            type Handles = #handles;
            type Mapped = #mapped;

            fn declared() -> ::std::vec::Vec<::partita::Declared> {
                vec![#(::partita::Declared::of::<#types>(#texts)),*]
            }

            fn handles(invoked: ::partita::Invoked) -> #handles {
                #handles {
                    #(#names: ::partita::Output::of(&invoked, #texts),)*
                    invoked_step: invoked,
                }
            }

            fn mapped(invoked: ::partita::Invoked) -> #mapped {
                #mapped {
                    #(#names: ::partita::Output::of(&invoked, #texts),)*
                    invoked_step: invoked,
                }
            }

            fn save(
                self,
                saver: &mut ::partita::Saver<'_>,
            ) -> ::std::result::Result<(), ::partita::value::ValueError> {
                #(saver.save(#texts, &self.#names)?;)*
                Ok(())
            }
        }
    })
}
