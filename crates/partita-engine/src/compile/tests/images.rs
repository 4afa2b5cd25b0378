//! What is said of images, and what cannot be had of it.

use serde_json::{Value, json};

use super::super::{StepImages, compile};
use super::*;

/// Returns a request whose default orchestrator runs steps in containers.
fn containers() -> CompileRequest {
    let mut request = request();
    request.capabilities.images = true;
    request.images = images(None);
    request.image_builder = ImageBuilderLimits {
        name: "native".to_owned(),
        refused: BTreeMap::from([("apt_packages", "it runs nothing in the image")]),
    };
    request
}

/// Returns the images of the default orchestrator, which are built on `parent`.
fn images(parent: Option<&str>) -> BTreeMap<String, StepImages> {
    let images = StepImages { parent: parent.map(str::to_owned), are_built: true };
    BTreeMap::from([("default".to_owned(), images)])
}

fn compiled(request: &CompileRequest, docker: Value) -> Result<Value, String> {
    let steps = vec![with_options("train", json!({ "settings": { "docker": docker } }))];
    let compiled = compile(spec(steps), request).map_err(|report| report.to_string())?;
    Ok(serde_json::to_value(&compiled.deployment.steps[0].config.docker).unwrap())
}

fn check(docker: Value, expected: Value) {
    assert_eq!(compiled(&containers(), docker), Ok(expected));
}

fn check_refused(docker: Value, part: &str) {
    let refused = compiled(&containers(), docker).unwrap_err();
    assert!(refused.contains(part), "{refused}");
}

#[test]
fn steps_say_what_their_image_is_built_of() {
    check(json!({}), json!({ "parent_image": "python:3.11-slim" }));
    let all = json!({
        "parent_image": "cuda:12", "requirements": ["numpy==2.1", "six"], "user": "1000",
        "environment": {"Mixed_case": "a b\"c"}, "runtime_environment": {"X": ""},
        "target_repository": "team/digits", "python_package_installer": "uv",
        "prevent_build_reuse": true,
    });
    check(all.clone(), all);
    let named = json!({ "parent_image": "train:7", "skip_build": true });
    check(named.clone(), named);
}

#[test]
fn an_orchestrators_image_is_used_as_it_is_unless_more_is_asked() {
    let mut request = containers();
    request.images = images(Some("train:7"));
    let as_it_is = json!({ "parent_image": "train:7", "skip_build": true });
    assert_eq!(compiled(&request, json!({})), Ok(as_it_is));
    let built = json!({ "parent_image": "train:7", "requirements": ["six"] });
    assert_eq!(compiled(&request, json!({ "requirements": ["six"] })), Ok(built));
    request.stack.image_builder = Some(component("native", ComponentType::ImageBuilder));
    assert_eq!(compiled(&request, json!({})), Ok(json!({ "parent_image": "train:7" })));
}

#[test]
fn files_are_read_when_the_pipeline_is_compiled() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("requirements.txt", "numpy\n# no more\n");
    write("pyproject.toml", "[project]\ndependencies = ['six']\n");
    write("Dockerfile", "FROM scratch\n");
    let request = CompileRequest { source_root: folder.path().to_owned(), ..containers() };
    let listed = json!({ "requirements": "requirements.txt", "pyproject": "pyproject.toml" });
    let read = compiled(&request, listed).unwrap();
    assert_eq!(read["requirements"], json!(["numpy", "six"]));
    write("Hidden", "FROM scratch\nRUN fetch https://me:word@example.org/a\n");
    let hidden = compiled(&request, json!({ "dockerfile": "Hidden" })).unwrap_err();
    assert!(hidden.contains("an address with a password") && !hidden.contains("word@"), "{hidden}");
    let dockerfile = json!({ "dockerfile": "Dockerfile" });
    let before = compiled(&request, dockerfile.clone()).unwrap();
    assert_eq!((&before["dockerfile"], before.get("parent_image")), (&json!("Dockerfile"), None));
    write("copied", "1");
    assert_ne!(compiled(&request, dockerfile).unwrap()["context"], before["context"]);
}

#[test]
fn what_no_image_can_have_is_refused() {
    check_refused(json!({ "requirments": ["six"] }), "did you mean `requirements`?");
    check_refused(json!({ "requirements": "none.txt" }), "`none.txt` cannot be read");
    check_refused(json!({ "requirements": ["-e ."] }), "names a file");
    check_refused(json!({ "environment": {"TOKEN": "{{hub.token}}"} }), "refers to a secret");
    let address = json!({ "environment": {"PROXY": "http://me:word@proxy:3128"} });
    check_refused(address, "an address with a password");
    check_refused(json!({ "environment": {"A=B": "1"} }), "is not the name of an environment");
    check_refused(json!({ "environment": {"A": "x\u{0}y"} }), "has a zero byte");
    check_refused(json!({ "apt_packages": ["-o=x"] }), "is not the name of a package");
    check_refused(json!({ "target_repository": "Team/a:b" }), "is no name that an image can have");
    check_refused(json!({ "user": "no:such:thing" }), "is no user");
    check_refused(json!({ "python_package_installer": "conda" }), "installs no packages");
    check_refused(json!({ "cache_mounts": ["cache"] }), "is not the path of a folder in an image");
    check_refused(json!({ "apt_packages": ["git"] }), "the image builder `native` cannot honour");
    check_refused(json!({ "skip_build": true }), "asks for an image that is there");
    check_refused(
        json!({ "parent_image": "a", "skip_build": true, "requirements": ["six"] }),
        "while `skip_build` says that none is",
    );
    check_refused(json!({ "dockerfile": "../Dockerfile" }), "lies outside the source root");
    check_refused(json!({ "build_context_root": "." }), "it is for a Dockerfile");
}

#[test]
fn images_are_built_for_containers_alone() {
    let check = |request: &CompileRequest, words: &str| {
        for docker in [json!({ "requirements": ["six"] }), json!({ "parent_image": "train:7" })] {
            let refused = compiled(request, docker).unwrap_err();
            assert!(refused.contains(words), "{refused}");
        }
    };
    check(&request(), "does not use, since its flavor does not say that steps run in images");
    let mut unbuilt = containers();
    unbuilt.images = BTreeMap::from([("default".to_owned(), StepImages::default())]);
    check(&unbuilt, "if the stack names an image builder");
    let as_it_is = json!({ "parent_image": "train:7", "skip_build": true });
    assert_eq!(compiled(&unbuilt, as_it_is.clone()), Ok(as_it_is.clone()));
    unbuilt.images.values_mut().for_each(|images| images.parent = Some("train:7".to_owned()));
    unbuilt.stack.image_builder = Some(component("native", ComponentType::ImageBuilder));
    assert_eq!(compiled(&unbuilt, json!({})), Ok(as_it_is));
}
