//! The rows of stacks, components and flavors.

use std::collections::BTreeMap;

use partita_core::stack::{Claims, Component, ComponentType, Flavor, Stack};
use rusqlite::{Connection, Row, params};

use super::record::{column, json};
use super::secrets::secrets;
use super::{Attempted, Durability, SqliteMetadataStore};
use crate::metadata::error::{MetadataError, Result};
use crate::metadata::registry::{Item, Registry, Save, StackReferences};
use crate::metadata::secrets::check_component;

impl Registry for SqliteMetadataStore {
    fn components(&self, kind: ComponentType) -> Result<Vec<Component>> {
        self.read(|connection| components(connection, kind))
    }

    fn save_component(
        &self,
        component: &Component,
        flavor: &Flavor,
        claims: Option<Claims>,
        save: Save<'_, Component>,
    ) -> Result<()> {
        let item = Item::Component(component.component_type);
        item.check_name(&component.name)?;
        item.check_editable(&component.name)?;
        self.write(Durability::Power, |transaction| {
            let known = components(transaction, component.component_type)?;
            check_presence(item, &component.name, &known, |known| &known.name, save)?;
            check_flavor(flavor, &registered(transaction, flavor.component_type)?)?;
            check_component(component, &secrets(transaction)?)?;
            transaction.execute(
                "INSERT OR REPLACE INTO components (type, name, flavor, config, claims)
                 VALUES (?, ?, ?, ?, ?)",
                params![
                    component.component_type.as_str(),
                    component.name,
                    component.flavor,
                    json(&component.config)?,
                    claims.as_ref().map(json).transpose()?,
                ],
            )?;
            Ok(())
        })
    }

    fn claims(&self, component: &Component) -> Result<Option<Claims>> {
        self.read(|connection| claims(connection, component))
    }

    fn delete_component(&self, kind: ComponentType, name: &str) -> Result<()> {
        let item = Item::Component(kind);
        item.check_editable(name)?;
        self.write(Durability::Power, |transaction| {
            let users: Vec<String> = transaction
                .prepare("SELECT DISTINCT stack FROM stack_components WHERE type = ? AND name = ? ORDER BY stack")?
                .query_map(params![kind.as_str(), name], |row| row.get::<_, String>(0))?
                .map(|stack| stack.map(|stack| format!("stack `{stack}`")))
                .collect::<rusqlite::Result<_>>()?;
            if !users.is_empty() {
                let help = "give those stacks another one with `partita stack update`, or delete them first";
                return Err(in_use(item, name, users, help).into());
            }
            let deleted = transaction.execute(
                "DELETE FROM components WHERE type = ? AND name = ?",
                params![kind.as_str(), name],
            )?;
            if deleted == 0 {
                let known = components(transaction, kind)?;
                let names: Vec<&str> = known.iter().map(|known| known.name.as_str()).collect();
                return Err(item.not_found(name, &names).into());
            }
            Ok(())
        })
    }

    fn stacks(&self) -> Result<Vec<Stack>> {
        self.read(stacks)
    }

    fn save_stack(&self, stack: &StackReferences, save: Save<'_, StackReferences>) -> Result<()> {
        Item::Stack.check_name(&stack.name)?;
        Item::Stack.check_editable(&stack.name)?;
        check_orchestrators(stack)?;
        self.write(Durability::Power, |transaction| {
            let known: Vec<_> = stacks(transaction)?.iter().map(StackReferences::from).collect();
            check_presence(Item::Stack, &stack.name, &known, |known| &known.name, save)?;
            transaction.execute("INSERT OR IGNORE INTO stacks (name) VALUES (?)", [&stack.name])?;
            transaction.execute("DELETE FROM stack_components WHERE stack = ?", [&stack.name])?;
            let store = [stack.artifact_store.clone()];
            put(transaction, &stack.name, ComponentType::Orchestrator, &stack.orchestrators)?;
            put(transaction, &stack.name, ComponentType::ArtifactStore, &store)?;
            let (builder, registry) = (&stack.image_builder, &stack.container_registry);
            put(transaction, &stack.name, ComponentType::ImageBuilder, builder.as_slice())?;
            put(transaction, &stack.name, ComponentType::ContainerRegistry, registry.as_slice())
        })
    }

    fn delete_stack(&self, name: &str) -> Result<()> {
        Item::Stack.check_editable(name)?;
        self.write(Durability::Power, |transaction| {
            transaction.execute("DELETE FROM stack_components WHERE stack = ?", [name])?;
            if transaction.execute("DELETE FROM stacks WHERE name = ?", [name])? == 0 {
                return Err(Item::Stack.not_found(name, &stack_names(transaction)?).into());
            }
            Ok(())
        })
    }

    fn registered_flavors(&self, kind: ComponentType) -> Result<Vec<Flavor>> {
        self.read(|connection| registered(connection, kind))
    }

    fn save_flavor(
        &self,
        flavor: &Flavor,
        built_in: &[Flavor],
        save: Save<'_, Flavor>,
    ) -> Result<()> {
        let item = Item::Flavor(flavor.component_type);
        item.check_name(&flavor.name)?;
        item.check_not_built_in(&flavor.name, built_in)?;
        self.write(Durability::Power, |transaction| {
            let known = registered(transaction, flavor.component_type)?;
            check_presence(item, &flavor.name, &known, |known| &known.name, save)?;
            transaction.execute(
                "INSERT OR REPLACE INTO flavors (type, name, description, source, config_schema, plugin)
                 VALUES (?, ?, ?, ?, ?, ?)",
                params![
                    flavor.component_type.as_str(),
                    flavor.name,
                    flavor.description,
                    flavor.source,
                    json(&flavor.config_schema)?,
                    flavor.plugin.as_ref().map(json).transpose()?,
                ],
            )?;
            Ok(())
        })
    }

    fn delete_flavor(&self, kind: ComponentType, name: &str, built_in: &[Flavor]) -> Result<()> {
        let item = Item::Flavor(kind);
        item.check_not_built_in(name, built_in)?;
        self.write(Durability::Power, |transaction| {
            let users: Vec<String> = components(transaction, kind)?
                .into_iter()
                .filter(|component| component.flavor == name)
                .map(|component| format!("{kind} `{}`", component.name))
                .collect();
            let is_there = registered(transaction, kind)?.iter().any(|flavor| flavor.name == name);
            if is_there && !users.is_empty() {
                return Err(in_use(item, name, users, "delete those components first").into());
            }
            let deleted = transaction.execute(
                "DELETE FROM flavors WHERE type = ? AND name = ?",
                params![kind.as_str(), name],
            )?;
            if deleted == 0 {
                let known = registered(transaction, kind)?;
                let names = known.iter().chain(built_in).map(|known| known.name.as_str());
                return Err(item.not_found(name, &names.collect::<Vec<_>>()).into());
            }
            Ok(())
        })
    }
}

fn in_use(item: Item, name: &str, users: Vec<String>, help: &str) -> MetadataError {
    MetadataError::InUse {
        what: item.to_string(),
        name: name.to_owned(),
        users,
        help: help.to_owned(),
    }
}

fn check_presence<T: PartialEq>(
    item: Item,
    name: &str,
    known: &[T],
    name_of: impl Fn(&T) -> &str,
    save: Save<'_, T>,
) -> Result<()> {
    match (known.iter().find(|known| name_of(known) == name), save) {
        (None, Save::Register) => Ok(()),
        (Some(_), Save::Register) => Err(item.exists(name)),
        (Some(present), Save::Update(before)) if present == before => Ok(()),
        (Some(_), Save::Update(_)) => Err(item.changed(name)),
        (None, Save::Update(_)) => {
            Err(item.not_found(name, &known.iter().map(name_of).collect::<Vec<_>>()))
        }
    }
}

/// Checks that a flavor is still what a component was checked with.
fn check_flavor(flavor: &Flavor, registered: &[Flavor]) -> Result<()> {
    if flavor.plugin.is_none() {
        return Ok(()); // It is built in.
    }
    let item = Item::Flavor(flavor.component_type);
    check_presence(item, &flavor.name, registered, |known| &known.name, Save::Update(flavor))
}

fn check_orchestrators(stack: &StackReferences) -> Result<()> {
    if stack.orchestrators.is_empty() {
        let help = "name at least one with `-o ORCHESTRATOR`";
        return Err(Item::Stack.invalid(&stack.name, "it has no orchestrator", help));
    }
    for (position, name) in stack.orchestrators.iter().enumerate() {
        if stack.orchestrators[..position].contains(name) {
            let reason = format!("it names the orchestrator `{name}` twice");
            return Err(Item::Stack.invalid(&stack.name, reason, "name each orchestrator once"));
        }
    }
    Ok(())
}

fn put(
    connection: &Connection,
    stack: &str,
    kind: ComponentType,
    names: &[String],
) -> Attempted<()> {
    let known = components(connection, kind)?;
    let known: Vec<&str> = known.iter().map(|component| component.name.as_str()).collect();
    for (position, name) in names.iter().enumerate() {
        if !known.contains(&name.as_str()) {
            return Err(Item::Component(kind).not_found(name, &known).into());
        }
        connection.execute(
            "INSERT INTO stack_components (stack, type, position, name) VALUES (?, ?, ?, ?)",
            params![stack, kind.as_str(), position as i64, name],
        )?;
    }
    Ok(())
}

fn component(row: &Row<'_>, kind: ComponentType) -> rusqlite::Result<Component> {
    let config: BTreeMap<_, _> = column(row, 2)?;
    Ok(Component { name: row.get(0)?, component_type: kind, flavor: row.get(1)?, config })
}

pub(super) fn components(
    connection: &Connection,
    kind: ComponentType,
) -> Attempted<Vec<Component>> {
    let mut statement = connection.prepare_cached(
        "SELECT name, flavor, config FROM components WHERE type = ? ORDER BY name",
    )?;
    let rows = statement.query_map([kind.as_str()], |row| component(row, kind))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Returns the claims of a component that is stored with the same configuration.
fn claims(connection: &Connection, asked: &Component) -> Attempted<Option<Claims>> {
    let mut statement = connection.prepare_cached(
        "SELECT name, flavor, config, coalesce(claims, 'null') FROM components
         WHERE type = ? AND name = ?",
    )?;
    let kind = asked.component_type;
    let mut rows = statement.query(params![kind.as_str(), asked.name])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    if component(row, kind)? == *asked { Ok(column(row, 3)?) } else { Ok(None) }
}

fn stack_names(connection: &Connection) -> Attempted<Vec<String>> {
    let mut statement = connection.prepare_cached("SELECT name FROM stacks ORDER BY name")?;
    let rows = statement.query_map([], |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn stacks(connection: &Connection) -> Attempted<Vec<Stack>> {
    let mut statement = connection.prepare_cached(
        "SELECT c.name, c.flavor, c.config FROM stack_components s
         JOIN components c ON c.type = s.type AND c.name = s.name
         WHERE s.stack = ? AND s.type = ? ORDER BY s.position",
    )?;
    let mut part = |stack: &str, kind: ComponentType| -> rusqlite::Result<Vec<Component>> {
        statement.query_map(params![stack, kind.as_str()], |row| component(row, kind))?.collect()
    };
    let mut stacks = Vec::new();
    for name in stack_names(connection)? {
        let orchestrators = part(&name, ComponentType::Orchestrator)?;
        let artifact_store = part(&name, ComponentType::ArtifactStore)?
            .pop()
            .ok_or(rusqlite::Error::QueryReturnedNoRows)?;
        let image_builder = part(&name, ComponentType::ImageBuilder)?.pop();
        let container_registry = part(&name, ComponentType::ContainerRegistry)?.pop();
        stacks.push(Stack {
            name,
            orchestrators,
            artifact_store,
            image_builder,
            container_registry,
        });
    }
    Ok(stacks)
}

fn registered(connection: &Connection, kind: ComponentType) -> Attempted<Vec<Flavor>> {
    let mut statement = connection.prepare_cached(
        "SELECT name, description, source, config_schema, coalesce(plugin, 'null')
         FROM flavors WHERE type = ? ORDER BY name",
    )?;
    let rows = statement.query_map([kind.as_str()], |row| {
        Ok(Flavor {
            name: row.get(0)?,
            component_type: kind,
            description: row.get(1)?,
            source: row.get(2)?,
            config_schema: column(row, 3)?,
            settings_schema: None,
            plugin: column(row, 4)?,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
