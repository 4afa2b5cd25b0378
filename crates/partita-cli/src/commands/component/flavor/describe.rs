//! `partita orchestrator flavor describe` and its siblings: a flavor and its configuration keys.

use partita_cli::size;
use partita_cli::table::Table;
use partita_core::schema::Schema;
use partita_core::stack::{Capabilities, ComponentType, Delegates, Flavor, Origin};
use partita_engine::metadata::Registry;

use crate::commands::component::built_in_flavors;
use crate::context::{Context, Output};
use crate::error::CommandError;

/// Shows a flavor and the keys of its configuration.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The flavor.
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    output: Output,
}

pub(super) fn run(kind: ComponentType, args: Args, context: &Context) -> Result<(), CommandError> {
    let flavor =
        context.session()?.home().metadata().flavor(kind, &args.name, &built_in_flavors())?;
    context.show(args.output.output, &flavor, || text(&flavor))
}

fn text(flavor: &Flavor) -> String {
    let mut pairs = vec![
        ("flavor", flavor.name.clone()),
        ("type", flavor.component_type.to_string()),
        ("source", flavor.source.clone()),
        ("description", flavor.description.clone()),
    ];
    let plugin = flavor.plugin.as_ref();
    let docs = plugin.and_then(|plugin| Some(("documentation", plugin.docs_url.clone()?)));
    pairs.extend(docs);
    if let Some(Origin::Executable { package: Some(package), .. }) =
        plugin.map(|plugin| &plugin.origin)
    {
        pairs.push(("package", package.clone()));
    }
    pairs.extend(plugin.into_iter().flat_map(|plugin| supply(&plugin.capabilities)));
    let mut text = Table::pairs(pairs);
    text.push_str(&keys("key", &flavor.config_schema));
    if let Some(settings) = flavor.settings() {
        text.push_str(&keys("setting", settings));
    }
    text
}

/// Returns what steps may ask of it, in the words of `supply`.
fn supply(claims: &Capabilities) -> [(&'static str, String); 5] {
    fn amount<T: Copy + Default + PartialEq>(of: Option<T>, said: fn(T) -> String) -> String {
        of.map_or("any".to_owned(), |amount| match amount == T::default() {
            true => "none".to_owned(),
            false => said(amount),
        })
    }
    let parallelism = claims.max_parallelism;
    let delegates = match claims.delegates {
        Delegates::No => "no",
        Delegates::Maybe => "said when a run begins",
        Delegates::Yes => "yes",
        Delegates::Throughout => "yes, and goes on when a step has failed",
    };
    [
        ("parallelism", parallelism.map_or("as many as are ready".into(), |most| most.to_string())),
        ("cpus", amount(claims.cpus, |cores| cores.to_string())),
        ("memory", amount(claims.memory, size::exact)),
        ("gpus", amount(claims.gpus, |count| count.to_string())),
        ("delegates", delegates.to_owned()),
    ]
}

/// Returns a table of the keys of a schema, with an empty line before it.
fn keys(what: &str, schema: &serde_json::Value) -> String {
    let mut table = Table::new([what, "type", "default", "description"]);
    for key in Schema::of(schema).keys() {
        table.row([key.name, key.expected, key.default, key.description]);
    }
    if table.is_empty() { String::new() } else { format!("\n{}", table.to_text()) }
}
