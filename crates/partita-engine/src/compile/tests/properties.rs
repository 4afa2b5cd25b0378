//! What holds for every pipeline: its steps come in order, or its cycles are told.

use std::collections::{BTreeSet, HashMap};

use partita_core::deployment::Deployment;
use proptest::prelude::*;

use super::super::compile;
use super::*;

/// Pipelines of up to 30 steps with random edges between any two of them.
fn edges() -> impl Strategy<Value = (usize, BTreeSet<(usize, usize)>)> {
    (1..30_usize).prop_flat_map(|steps| {
        let edge = (0..steps, 0..steps);
        (Just(steps), prop::collection::btree_set(edge, 0..steps * 2))
    })
}

fn wired(steps: usize, edges: &BTreeSet<(usize, usize)>) -> PipelineSpec {
    let named = |step: usize| {
        let before: Vec<String> = edges
            .iter()
            .filter(|(_, to)| *to == step)
            .map(|(from, _)| format!("s{from}"))
            .collect();
        after(&format!("s{step}"), &before.iter().map(String::as_str).collect::<Vec<_>>())
    };
    spec((0..steps).map(named).collect())
}

/// Checks that each step of a circle waits for the one named before it.
fn is_circle(message: &str, edges: &BTreeSet<(usize, usize)>) -> bool {
    let Some((_, way)) = message.split_once(": ") else { return false };
    let way: Vec<Option<usize>> = way
        .split(" → ")
        .map(|name| name.trim_matches('`').strip_prefix('s')?.parse().ok())
        .collect();
    let elided = way.contains(&None);
    way.first() == way.last()
        && way.windows(2).all(|pair| match (pair[0], pair[1]) {
            (Some(from), Some(to)) => edges.contains(&(from, to)),
            _ => elided,
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn steps_come_after_what_they_wait_for_or_a_cycle_is_told((steps, edges) in edges()) {
        match compile(wired(steps, &edges), &request()) {
            Ok(compiled) => {
                let steps_made = &compiled.deployment.steps;
                let at: HashMap<&str, usize> =
                    steps_made.iter().enumerate().map(|(at, step)| (step.name.as_str(), at)).collect();
                prop_assert_eq!(at.len(), steps);
                for step in steps_made {
                    prop_assert!(step.upstream_steps.is_sorted());
                    let waits = edges.iter().filter(|(_, to)| step.name == format!("s{to}")).count();
                    prop_assert_eq!(step.upstream_steps.len(), waits);
                    for before in &step.upstream_steps {
                        prop_assert!(at[before.as_str()] < at[step.name.as_str()]);
                    }
                }
            }
            Err(report) => {
                prop_assert!(!report.problems.is_empty());
                for problem in &report.problems {
                    prop_assert!(is_circle(&problem.message, &edges), "{}", problem);
                }
            }
        }
    }

    #[test]
    fn edges_that_point_forward_keep_the_order_of_tracing((steps, edges) in edges()) {
        let forward = edges.into_iter().filter(|(from, to)| from < to).collect();
        let compiled = compile(wired(steps, &forward), &request()).unwrap();
        let order: Vec<String> = compiled.deployment.steps.into_iter().map(|step| step.name).collect();
        prop_assert_eq!(order, (0..steps).map(|step| format!("s{step}")).collect::<Vec<_>>());
    }

    #[test]
    fn a_document_reads_back_as_it_was_written(
        delay in 0.0..1e9_f64, backoff in 1.0..1e3_f64, cpus in 1e-9..1e6_f64, timeout in 1e-9..1e9_f64,
        memory in 1..u64::MAX / 2_000, text in any::<String>(),
    ) {
        let resources = json!({"cpu_count": cpus, "memory": format!("{memory}KB")});
        let options = json!({
            "retry": {"max_retries": 1, "delay": delay, "backoff": backoff}, "timeout": timeout,
            "settings": {"resources": resources},
            "cache_version": text,
        });
        let request = CompileRequest { capabilities: ABLE, ..request() };
        let compiled = compile(spec(vec![with_options("a", options)]), &request).unwrap();
        let bytes = serde_json::to_vec(&compiled.deployment).unwrap();
        prop_assert_eq!(Deployment::read(&bytes).unwrap(), compiled.deployment);
    }

    #[test]
    fn no_configuration_text_makes_the_reader_panic(text in "[a-z:\\-\\[\\]{}&*!#'\" \n0-9.]{0,80}") {
        let _read = ConfigFile::parse("run.yaml", &text);
    }
}
