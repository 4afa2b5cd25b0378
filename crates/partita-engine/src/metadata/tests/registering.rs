//! What may be registered, changed and deleted, and what is said when it may not.

use partita_core::stack::Flavor;

use super::*;

fn component(name: &str, flavor: &str) -> Component {
    Component {
        name: name.to_owned(),
        component_type: ComponentType::Orchestrator,
        flavor: flavor.to_owned(),
        config: BTreeMap::from([(
            "queue".to_owned(),
            Literal::parse("\"a100\"").expect("a value"),
        )]),
    }
}

fn stack(name: &str, orchestrators: &[&str]) -> StackReferences {
    StackReferences {
        name: name.to_owned(),
        orchestrators: orchestrators.iter().map(|name| (*name).to_owned()).collect(),
        artifact_store: DEFAULT.to_owned(),
        image_builder: None,
        container_registry: None,
    }
}

fn flavor(name: &str) -> Flavor {
    Flavor {
        name: name.to_owned(),
        component_type: ComponentType::Orchestrator,
        description: "Runs steps.".to_owned(),
        source: "flavors.mine".to_owned(),
        config_schema: serde_json::json!({ "type": "object" }),
        settings_schema: None,
        plugin: None,
    }
}

/// Returns a flavor that is no built-in one.
fn own_flavor(name: &str) -> Flavor {
    let plugin = serde_json::json!({
        "origin": { "python": { "source_root": "/work" } },
        "capabilities": {
            "max_parallelism": null, "timeouts": true, "grace": 10.0, "loads_steps_again": true,
            "cpus": null, "memory": 0, "gpus": 0, "allow_unenforced": false,
        },
    });
    let plugin = Some(serde_json::from_value(plugin).expect("a plugin"));
    Flavor { plugin, ..flavor(name) }
}

/// Checks that something is refused with exactly this message.
fn check<T>(outcome: Result<T>, message: &str) {
    assert_eq!(outcome.err().map(|error| error.to_string()).as_deref(), Some(message));
}

#[test]
fn a_fresh_home_has_one_stack_that_stays() {
    let home = Home::new();
    let default = home.index.stack(DEFAULT).expect("a stack");
    assert_eq!(default.orchestrators[0].flavor, "local");
    assert_eq!(default.artifact_store.flavor, "local");
    let keeps = |what: &str, command: &str| {
        format!(
            "the {what} `default` belongs to every home and cannot be changed or deleted; register one of your own with `partita {command} register`"
        )
    };
    check(home.index.delete_stack(DEFAULT), &keeps("stack", "stack"));
    check(
        home.index.delete_component(ComponentType::ArtifactStore, DEFAULT),
        &keeps("artifact store", "artifact-store"),
    );
    check(
        home.index.save_component(
            &component(DEFAULT, "local"),
            &flavor("local"),
            None,
            Save::Update(&component(DEFAULT, "local")),
        ),
        &keeps("orchestrator", "orchestrator"),
    );
}

#[test]
fn components_and_stacks_come_back_as_they_were_stored() {
    let home = Home::new();
    home.index
        .save_component(&component("gpu", "local"), &flavor("local"), None, Save::Register)
        .expect("registered");
    home.index.save_stack(&stack("mine", &["gpu", DEFAULT]), Save::Register).expect("registered");
    assert_eq!(
        home.index.component(ComponentType::Orchestrator, "gpu").expect("a component"),
        component("gpu", "local")
    );
    let names = |stack: Stack| stack.orchestrators.into_iter().map(|o| o.name).collect::<Vec<_>>();
    assert_eq!(names(home.index.stack("mine").expect("a stack")), ["gpu", DEFAULT]);
    let before = stack("mine", &["gpu", DEFAULT]);
    home.index.save_stack(&stack("mine", &[DEFAULT]), Save::Update(&before)).expect("updated");
    assert_eq!(names(home.index.stack("mine").expect("a stack")), [DEFAULT]);
    home.index.delete_stack("mine").expect("deleted");
    home.index.delete_component(ComponentType::Orchestrator, "gpu").expect("deleted");
    assert_eq!(home.index.components(ComponentType::Orchestrator).expect("components").len(), 1);
}

#[test]
fn refusals_say_what_to_do() {
    let home = Home::new();
    let index = &home.index;
    index
        .save_component(&component("gpu", "local"), &flavor("local"), None, Save::Register)
        .expect("registered");
    index.save_stack(&stack("mine", &["gpu"]), Save::Register).expect("registered");
    check(
        index.delete_component(ComponentType::Orchestrator, "gpu"),
        "the orchestrator `gpu` is used by stack `mine`; give those stacks another one with `partita stack update`, or delete them first",
    );
    check(
        index.component(ComponentType::Orchestrator, "gpo"),
        "there is no orchestrator `gpo` (did you mean `gpu`?); `partita orchestrator list` shows them all",
    );
    check(
        index.save_stack(&stack("other", &["slurm-cluster"]), Save::Register),
        "there is no orchestrator `slurm-cluster`; `partita orchestrator list` shows them all, and `partita orchestrator register` makes a new one",
    );
    check(
        index.save_stack(&stack("mine", &["gpu"]), Save::Register),
        "the stack `mine` is there already; choose another name, or change it with `partita stack update mine`",
    );
    check(
        index.save_stack(&stack("a\nb", &["gpu"]), Save::Register),
        "the stack `a\u{fffd}b` cannot be registered: its name is refused because it has a control character at position 1; choose another name",
    );
    check(
        index.save_stack(&stack("none", &[]), Save::Register),
        "the stack `none` cannot be registered: it has no orchestrator; name at least one with `-o ORCHESTRATOR`",
    );
    assert_eq!(index.stacks().expect("stacks").len(), 2);
}

#[test]
fn built_in_flavors_are_listed_and_never_replaced_or_deleted() {
    let home = Home::new();
    let built_in = [flavor("local")];
    let mine = own_flavor("mine");
    home.index.save_flavor(&mine, &built_in, Save::Register).expect("registered");
    let names = |flavors: Vec<Flavor>| flavors.into_iter().map(|f| f.name).collect::<Vec<_>>();
    let listed = home.index.flavors(ComponentType::Orchestrator, &built_in).expect("flavors");
    assert_eq!(names(listed), ["local", "mine"]);
    for outcome in [
        home.index.save_flavor(&flavor("local"), &built_in, Save::Register),
        home.index.delete_flavor(ComponentType::Orchestrator, "local", &built_in),
    ] {
        assert!(matches!(outcome, Err(MetadataError::Protected { .. })));
    }
    home.index
        .save_component(&component("gpu", "mine"), &mine, None, Save::Register)
        .expect("registered");
    check(
        home.index.delete_flavor(ComponentType::Orchestrator, "mine", &built_in),
        "the orchestrator flavor `mine` is used by orchestrator `gpu`; delete those components first",
    );
    home.index.delete_component(ComponentType::Orchestrator, "gpu").expect("deleted");
    home.index.delete_flavor(ComponentType::Orchestrator, "mine", &built_in).expect("deleted");
    assert_eq!(
        home.index.flavor(ComponentType::Orchestrator, "local", &built_in).expect("a flavor").name,
        "local"
    );
}

#[test]
fn a_component_is_not_stored_once_the_flavor_that_it_was_checked_with_is_another_or_none() {
    let home = Home::new();
    let (mine, gpu) = (own_flavor("mine"), component("gpu", "mine"));
    home.index.save_flavor(&mine, &[], Save::Register).expect("registered");
    let changed = Flavor { description: "Runs steps twice.".to_owned(), ..own_flavor("mine") };
    home.index.save_flavor(&changed, &[], Save::Update(&mine)).expect("updated");
    check(
        home.index.save_component(&gpu, &mine, None, Save::Register),
        "the orchestrator flavor `mine` has been changed by another command meanwhile, so nothing is saved; look at it, and type the command again",
    );
    home.index.delete_flavor(ComponentType::Orchestrator, "mine", &[]).expect("deleted");
    check(
        home.index.save_component(&gpu, &changed, None, Save::Register),
        "there is no orchestrator flavor `mine`; `partita orchestrator flavor list` shows them all",
    );
    assert_eq!(home.index.components(ComponentType::Orchestrator).expect("components").len(), 1);
}

#[test]
fn of_two_changes_at_once_the_second_is_refused_and_none_is_lost() {
    let home = Home::new();
    let (local, before) = (flavor("local"), component("gpu", "local"));
    home.index.save_component(&before, &local, None, Save::Register).expect("registered");
    let with = |key: &str| {
        let mut changed = before.clone();
        changed.config.insert(key.to_owned(), Literal::parse("1").expect("a value"));
        changed
    };
    let save = |changed: Component| {
        home.index.save_component(&changed, &local, None, Save::Update(&before))
    };
    save(with("nodes")).expect("updated");
    let told = "has been changed by another command meanwhile, so nothing is saved; look at it, and type the command again";
    check(save(with("cores")), &format!("the orchestrator `gpu` {told}"));
    let kept = home.index.component(ComponentType::Orchestrator, "gpu").expect("a component");
    assert_eq!(kept, with("nodes"));

    let before = stack("mine", &["gpu"]);
    home.index.save_stack(&before, Save::Register).expect("registered");
    let both = stack("mine", &["gpu", DEFAULT]);
    home.index.save_stack(&both, Save::Update(&before)).expect("updated");
    let third = home.index.save_stack(&stack("mine", &[DEFAULT]), Save::Update(&before));
    check(third, &format!("the stack `mine` {told}"));
}
