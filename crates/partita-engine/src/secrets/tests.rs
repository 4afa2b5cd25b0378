//! What a home keeps of secrets, and what is left of text that tells them.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use partita_core::literal::Literal;
use partita_core::secret::Reference;
use partita_core::stack::{Component, ComponentType};
use proptest::prelude::*;

use super::*;
use crate::home::Home;
use crate::metadata::{Registry, Save, SealedSecrets};

const VALUE: &str = "s3cr/t \"välue\"\nof two lines";

fn home() -> (tempfile::TempDir, Home) {
    let folder = tempfile::tempdir().expect("a folder");
    let home = Home::open(&folder.path().join("home")).expect("a home");
    (folder, home)
}

fn reference(name: &str, key: &str) -> Reference {
    SecretStore::reference(name, key).expect("a reference")
}

fn set(home: &Home, name: &str, key: &str, value: &str) {
    home.secrets().set(&reference(name, key), &SecretString::from(value)).expect("stored");
}

fn component(config: &str) -> Component {
    Component {
        name: "gpu".to_owned(),
        component_type: ComponentType::Orchestrator,
        flavor: "mine".to_owned(),
        config: BTreeMap::from([("token".to_owned(), Literal::parse(config).expect("JSON"))]),
    }
}

/// Returns the value of `hub.token` as an orchestrator gets it.
fn resolved(home: &Home) -> Result<String, SecretError> {
    let references = [reference("hub", "token")].into();
    let secrets = Secrets::new(home.secrets().values(references)?)?;
    let filled = secrets.fill_component(&component("\"{{hub.token}}\""))?;
    Ok(serde_json::from_str(filled.config["token"].text()).expect("a text"))
}

fn why<T>(outcome: Result<T, SecretError>) -> String {
    outcome.err().map(|error| error.to_string()).unwrap_or_default()
}

/// Returns the files of a home that hold `text`.
fn holding(folder: &Path, text: &str) -> Vec<String> {
    let files = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("a file").path());
    let holds = |path: &std::path::PathBuf| {
        let data = fs::read(path).expect("a file");
        data.windows(text.len()).any(|part| part == text.as_bytes())
    };
    files.filter(holds).map(|path| path.display().to_string()).collect()
}

#[test]
fn a_value_is_stored_encrypted_and_comes_back_for_whoever_uses_it() {
    let (_folder, home) = home();
    set(&home, "hub", "token", VALUE);
    assert_eq!(resolved(&home).expect("resolved"), VALUE);
    for text in ["s3cr", "välue", "two lines"] {
        assert_eq!(holding(home.path(), text), [""; 0], "{text}");
    }
    set(&home, "hub", "token", "another one");
    assert_eq!(resolved(&home).expect("resolved"), "another one");
    let key = fs::metadata(home.path().join("secrets.key")).expect("a key");
    assert_eq!(key.permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_value_is_bound_to_its_name() {
    let (_folder, home) = home();
    set(&home, "hub", "other", VALUE);
    let sealed = home.metadata().sealed_secret(&reference("hub", "other")).expect("read");
    let sealed = sealed.expect("a secret");
    let token = reference("hub", "token");
    home.metadata().save_secret(&token, &sealed, crate::clock::now()).expect("stored");
    let told = why(resolved(&home));
    assert!(
        told.contains("`hub.token` cannot be decrypted") && told.contains("secret set hub token"),
        "{told}"
    );
}

#[test]
fn a_key_that_is_gone_or_open_to_others_is_not_used() {
    let (_folder, home) = home();
    set(&home, "hub", "token", VALUE);
    let key = home.path().join("secrets.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).expect("changed");
    assert!(why(resolved(&home)).contains("chmod 600"));
    fs::remove_file(&key).expect("removed");
    assert!(why(resolved(&home)).contains("bring it back"));
    fs::write(&key, "short").expect("written");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).expect("changed");
    assert!(why(resolved(&home)).contains("cannot be used"));
}

#[test]
fn a_crash_leaves_the_old_value_or_the_new_one() {
    let (_folder, home) = home();
    // Of a process that was killed while it made the key, this is all that there can be.
    fs::write(home.path().join("secrets.key.0"), "half").expect("written");
    set(&home, "hub", "token", "the old one");
    // One that was killed before it stored the value has made a key, or found one.
    super::vault::Vault::open_or_make(home.path()).expect("a key");
    assert_eq!(resolved(&home).expect("resolved"), "the old one");
}

#[test]
fn processes_that_store_the_first_secrets_at_once_share_one_key() {
    let (_folder, home) = home();
    let names = ["a", "b", "c", "d"];
    std::thread::scope(|scope| {
        for name in names {
            let home = Home::open(home.path()).expect("a home");
            scope.spawn(move || set(&home, name, "key", VALUE));
        }
    });
    let references = names.map(|name| reference(name, "key")).into();
    assert_eq!(home.secrets().values(references).expect("decrypted").len(), names.len());
}

#[test]
fn a_secret_that_a_component_refers_to_stays() {
    let (_folder, home) = home();
    let flavor = &crate::home::artifact_store_flavors()[0]; // Any one that is built in.
    let save = |config: &str| {
        home.metadata().save_component(&component(config), flavor, None, Save::Register)
    };
    let told = |config: &str| save(config).err().map(|error| error.to_string()).unwrap_or_default();
    let missing = told("\"{{hub.token}}\"");
    assert!(
        missing.contains("no secret `{{hub.token}}`") && missing.contains("secret set hub token"),
        "{missing}"
    );
    set(&home, "hub", "token", VALUE);
    set(&home, "hub", "other", VALUE);
    assert!(told("\"https://{{hub.token}}@host\"").contains("stands for a whole value"));
    assert!(told("\"{{hub.tokn}}\"").contains("did you mean `{{hub.token}}`?"));
    save("\"{{hub.token}}\"").expect("registered");
    for key in [None, Some("token")] {
        let told = why(home.secrets().delete("hub", key));
        assert!(told.contains("is used by orchestrator `gpu`"), "{told}");
    }
    home.secrets().delete("hub", Some("other")).expect("deleted");
    let rows = home.secrets().list().expect("rows");
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].used_by, ["orchestrator `gpu`"]);
    home.metadata().delete_component(ComponentType::Orchestrator, "gpu").expect("deleted");
    home.secrets().delete("hub", None).expect("deleted");
    assert!(why(home.secrets().delete("hub", None)).contains("there is no secret `hub`"));
}

#[test]
fn values_and_words_have_limits() {
    let (_folder, home) = home();
    let set = |value: &str| {
        why(home.secrets().set(&reference("hub", "token"), &SecretString::from(value)))
    };
    assert!(set("abc").contains("has 3 bytes"));
    assert!(set(&"a".repeat(LONGEST + 1)).contains("at most"));
    assert_eq!(set(&"a".repeat(LONGEST)), "");
    assert!(why(SecretStore::reference("a b", "key")).contains("`a b` cannot be the name"));
    assert!(why(SecretStore::reference("a", "")).contains("cannot be the key"));
}

#[test]
fn no_message_and_no_debug_output_tells_a_value() {
    let values = BTreeMap::from([(reference("hub", "token"), SecretString::from(VALUE))]);
    let secrets = Secrets::new(values).expect("secrets");
    let told = format!("{secrets:?}");
    assert!(!told.contains("s3cr") && told.contains("token"), "{told}");
    let damaged = br#"[["hub","token",{"s3cr":1}]]"#;
    assert!(!why(Secrets::decode(damaged)).contains("s3cr"));
}

/// Values as people have them: printed characters of any script, quotes, line breaks.
fn value() -> impl Strategy<Value = String> {
    // A text of braces and of the reference's own words may come of the reference itself.
    "[!-z~äß√😀 \n\"'\\\\/%+&<=]{6,40}".prop_filter("no part of a reference", |value| {
        value.trim().len() >= 6 && !"{{hub.token}}{{hub.other}}".contains(value.trim())
    })
}

/// What programs make of a value when they tell it.
fn told(value: &str, how: usize) -> String {
    use base64::Engine as _;
    let base64 = base64::engine::general_purpose::STANDARD;
    match how {
        0 => value.to_owned(),
        1 => serde_json::to_string(value).expect("JSON"),
        2 => base64.encode(value),
        3 => base64.encode(format!("user:{value}")),
        4 => base64::engine::general_purpose::URL_SAFE.encode(format!("u:{value}@host")),
        5 => value.bytes().map(|byte| format!("{byte:02x}")).collect(),
        6 => {
            let document = serde_json::json!({ "t": value }).to_string();
            serde_json::to_string(&document).expect("JSON")
        }
        7 => value.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>(),
        _ => value.escape_debug().to_string(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn a_stream_tells_no_value_however_it_is_cut(
        values in proptest::collection::vec(value(), 2),
        parts in proptest::collection::vec((0_usize..2, 0_usize..7, "[a-z \n]{0,8}"), 1..6),
        cuts in proptest::collection::vec(0_usize..200, 0..12),
    ) {
        prop_assume!(!values[0].contains(&values[1]) && !values[1].contains(&values[0]));
        let keys = ["token", "other"].map(|key| reference("hub", key));
        let both = keys.into_iter().zip(values.iter().map(|value| SecretString::from(value.as_str())));
        let secrets = Secrets::new(both.collect()).expect("secrets");
        let redactor = secrets.redactor().expect("a redactor");
        let text: String = parts
            .iter()
            .map(|(which, how, around)| format!("{around}.{}.{around}", told(&values[*which], *how)))
            .collect();
        let (mut stream, mut redacted) = (Redaction::default(), Vec::new());
        let mut rest = text.as_bytes();
        for cut in cuts {
            let (now, later) = rest.split_at(cut.min(rest.len()));
            redacted.extend(stream.take(redactor, now));
            rest = later;
        }
        redacted.extend(stream.take(redactor, rest));
        redacted.extend(stream.finish(redactor));
        prop_assert_eq!(redactor.find(&redacted), None);
        let redacted = String::from_utf8(redacted).expect("UTF-8");
        prop_assert_eq!(&redacted, &redactor.text(&text));
        for (which, how, _) in parts {
            prop_assert!(!redacted.contains(&told(&values[which], how)), "{}", redacted);
        }
    }

    #[test]
    fn text_without_values_is_told_as_it_is(
        value in "[A-Z0-9]{8,20}",
        text in "[a-z {}.\n\"\\\\]{0,200}",
        cut in 0_usize..200,
    ) {
        let values = BTreeMap::from([(reference("hub", "token"), SecretString::from(value))]);
        let secrets = Secrets::new(values).expect("secrets");
        let redactor = secrets.redactor().expect("a redactor");
        let mut stream = Redaction::default();
        let (now, later) = text.as_bytes().split_at(cut.min(text.len()));
        let mut told = stream.take(redactor, now);
        told.extend(stream.take(redactor, later));
        told.extend(stream.finish(redactor));
        prop_assert_eq!(told, text.as_bytes());
    }
}
