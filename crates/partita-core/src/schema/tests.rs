//! What schemas accept, and what is said of what they do not.

use serde_json::json;

use super::*;

fn document() -> Value {
    json!({
        "properties": {
            "queue": { "type": "string" },
            "path": { "type": ["string", "null"] },
            "nodes": { "anyOf": [{ "type": "integer", "minimum": 1 }, { "type": "null" }] },
            "mode": { "$ref": "#/$defs/Mode" },
            "limits": { "type": "object", "additionalProperties": { "type": "number" } },
            "fast": { "type": "boolean" },
            "gpus": { "type": ["array", "null"], "items": { "type": "string" } },
            "modes": { "type": "array", "items": { "$ref": "#/$defs/Mode" } }
        },
        "$defs": { "Mode": { "oneOf": [{ "const": "safe" }, { "const": "quick" }] } },
        "required": ["queue"],
        "additionalProperties": false
    })
}

fn check(key: &str, text: &str, expected: Result<&str, &str>) {
    let document = document();
    let read = Schema::of(&document).read(key, text);
    match (read, expected) {
        (Ok(value), Ok(literal)) => assert_eq!(value.text(), literal),
        (Err(wrong), Err(part)) => assert!(wrong.to_string().contains(part), "{wrong}"),
        (read, _) => panic!("`{key}={text}` was read as {read:?}"),
    }
}

#[test]
fn values_get_the_type_that_the_schema_wants() {
    check("queue", "5", Ok("\"5\""));
    check("queue", "a b", Ok("\"a b\""));
    check("path", "null", Ok("null"));
    check("path", "/data", Ok("\"/data\""));
    check("nodes", "3", Ok("3"));
    check("mode", "safe", Ok("\"safe\""));
    check("limits", r#"{"cpu": 4}"#, Ok(r#"{"cpu":4}"#));
    check("fast", "false", Ok("false"));
}

#[test]
fn wrong_values_are_refused_with_what_is_expected() {
    check("nodes", "0", Err("`nodes` is a whole number of at least 1 or `null`, not `0`"));
    check("mode", "sage", Err("`safe` or `quick`"));
    check("limits", "5", Err("an object"));
    check("limits", r#"{"cpu": "4"}"#, Err("`limits.cpu` is a number, not `\"4\"`"));
    check("fast", "maybe", Err("`true` or `false`"));
    check("modes", "safe", Err("a list such as `[\"safe\", \"quick\"]`"));
    check("gpus", "[0]", Err("a list such as `[\"a\", \"b\"]` or `null`"));
}

#[test]
fn problems_name_keys_that_are_wrong_unknown_or_missing() {
    let document = document();
    let value = |text: &str| Literal::parse(text).expect("JSON");
    let values = BTreeMap::from([
        ("fsat".to_owned(), value("true")),
        ("nodes".to_owned(), value("0")),
        ("fast".to_owned(), value("false")),
    ]);
    assert_eq!(
        Schema::of(&document).problems(&values),
        [
            "`queue` is missing",
            "there is no key `fsat`; did you mean `fast`?",
            "`nodes` is a whole number of at least 1 or `null`, not `0`",
        ]
    );
    let open = json!({ "additionalProperties": { "type": "integer" } });
    let problems = Schema::of(&open).problems(&values);
    assert_eq!(problems.len(), 2, "{problems:?}");
}

#[test]
fn what_is_wrong_is_told_as_deep_in_a_value_as_it_is() {
    let document = json!({
        "properties": { "pool": { "$ref": "#/$defs/Pool" } },
        "$defs": { "Pool": {
            "type": "object",
            "properties": {
                "share": { "type": "number", "exclusiveMinimum": 0, "maximum": 1 },
                "hosts": { "type": "array", "items": { "type": "string" } },
                "slots": { "type": "integer", "minimum": 1, "maximum": 8 }
            },
            "required": ["share"],
            "additionalProperties": false
        } }
    });
    let check = |text: &str, expected: &str| {
        let wrong = Schema::of(&document).read("pool", text).expect_err("it is wrong");
        assert_eq!(wrong.to_string(), expected);
    };
    check("5", "`pool` is an object such as `{\"key\": 1}`, not `5`");
    check("{}", "`pool.share` is missing");
    check(r#"{"share": 0}"#, "`pool.share` is a number above 0 and of at most 1, not `0`");
    check(r#"{"share": 1, "slots": 9}"#, "`pool.slots` is a whole number from 1 to 8, not `9`");
    check(r#"{"share": 1, "hosts": ["a", 5]}"#, "`pool.hosts[1]` is text, not `5`");
    check(r#"{"share": 1, "slot": 1}"#, "`pool.slot` is no key of it; did you mean `slots`?");
}

#[test]
fn a_schema_that_cannot_be_meant_is_told() {
    let check = |schema: Value, expected: Option<&str>| {
        assert_eq!(Schema::of(&schema).fault().as_deref(), expected, "{schema}");
    };
    let of = |key: Value| json!({ "type": "object", "properties": { "queue": key } });
    check(document(), None);
    check(json!({}), None);
    check(of(json!({ "$ref": "#/properties/queue/$defs/a", "$defs": { "a": true } })), None);
    check(
        json!({ "type": "array" }),
        Some(
            "it describes no object with keys: its `type` is `\"array\"`, and must be `\"object\"`",
        ),
    );
    check(of(json!("text")), Some("`#/properties/queue` is no schema: it must be an object"));
    check(
        of(json!({ "type": "txet" })),
        Some("`#/properties/queue/type` is `\"txet\"`, and there is no such type"),
    );
    check(
        of(json!({ "$ref": "#/$defs/Gone" })),
        Some(
            "`#/properties/queue/$ref` refers to `#/$defs/Gone`, and there is no such place in the schema",
        ),
    );
    check(
        json!({ "properties": { "a": { "$ref": "#/properties/a" } } }),
        Some("`#/properties/a/$ref` leads round in a circle"),
    );
    check(
        of(json!({ "anyOf": [{ "type": "string" }, { "minimum": "1" }] })),
        Some("`#/properties/queue/anyOf/1/minimum` must be a number"),
    );
    check(of(json!({ "items": [{ "type": "string" }, true] })), None);
    check(
        of(json!({ "items": 5 })),
        Some("`#/properties/queue/items` is no schema: it must be an object"),
    );
    check(json!({ "properties": [] }), Some("`#/properties` must be an object of schemas"));
    check(json!({ "required": "queue" }), Some("`#/required` must be a list of keys"));
}

#[test]
fn a_schema_that_nothing_fits_says_why() {
    let check = |schema: Value, expected: Option<&str>| {
        assert_eq!(Schema::of(&schema).fault(), None, "{schema}");
        let told = Schema::of(&schema).emptiness();
        assert_eq!(told.as_deref(), expected, "{schema}");
    };
    let closed = |required: &str| json!({ "type": "object", "properties": { "a": {} }, "required": [required], "additionalProperties": false });
    check(json!(false), Some("nothing fits `#`, which is `false`"));
    check(
        closed("b"),
        Some("nothing fits `#`, which must have the key `b` and may have no such key"),
    );
    check(closed("a"), None);
    let of_key = |schema: Value| {
        json!({ "properties": { "a": schema }, "$defs": { "None": false, "Tree": {
        "type": "object", "required": ["left", "right"],
        "properties": { "left": { "$ref": "#/$defs/Tree" }, "right": { "$ref": "#/$defs/Tree" } } } } })
    };
    let at = "nothing fits `#/properties/a`";
    for (schema, why) in [
        (json!({ "enum": [] }), format!("{at}, whose `enum` is empty")),
        (json!({ "$ref": "#/$defs/None" }), format!("{at}, which is `false`")),
        (
            json!({ "anyOf": [false, { "enum": [] }] }),
            "nothing fits `#/properties/a/anyOf/0`, which is `false`".to_owned(),
        ),
        (
            json!({ "allOf": [{}, false] }),
            "nothing fits `#/properties/a/allOf/1`, which is `false`".to_owned(),
        ),
        (
            json!({ "type": "string", "enum": [1, 2] }),
            format!("{at}: it does not accept its own values"),
        ),
        (
            json!({ "type": "integer", "const": "x" }),
            format!("{at}: it does not accept its own values"),
        ),
        (
            json!({ "type": "number", "minimum": 2, "maximum": 1 }),
            format!("{at}: no number is within its bounds"),
        ),
        (
            json!({ "type": "integer", "exclusiveMinimum": 1, "maximum": 1 }),
            format!("{at}: no number is within its bounds"),
        ),
    ] {
        check(of_key(schema), Some(&why));
    }
    let types = "no value has all the types that it wants";
    for schema in [
        json!({ "allOf": [{ "type": "integer" }, { "type": "string" }] }),
        json!({ "type": "string", "anyOf": [{ "type": "integer" }, { "type": "null" }] }),
        json!({ "type": "object", "$ref": "#/$defs/Word" }),
    ] {
        let mut document = of_key(schema);
        document["$defs"]["Word"] = json!({ "type": "string" });
        check(document, Some(&format!("{at}: {types}")));
    }
    for schema in [
        json!(true),
        json!({ "allOf": [{ "type": "integer" }, { "type": "number" }] }),
        json!({ "type": ["string", "null"], "anyOf": [{ "type": "null" }, { "type": "array" }] }),
        json!({ "enum": [null] }),
        json!({ "anyOf": [false, { "type": "null" }] }),
        json!({ "$ref": "#/$defs/Tree" }),
        json!({ "allOf": [{ "$ref": "#/$defs/Tree" }, { "$ref": "#/$defs/Tree" }] }),
        json!({ "type": "array", "items": false }),
        json!({ "minimum": 2, "maximum": 1 }),
        json!({ "type": "number", "minimum": 1, "maximum": 1 }),
    ] {
        check(of_key(schema), None);
    }
}

#[test]
fn a_default_that_its_key_does_not_take_is_found() {
    let check = |schema: Value, expected: Option<&str>| {
        let document = json!({ "properties": { "a": schema } });
        assert_eq!(Schema::of(&document).wrong_default().as_deref(), expected, "{document}");
    };
    let wrong = "`a` is a whole number, not `\"x\"`";
    check(json!({ "type": "integer", "default": "x" }), Some(wrong));
    check(json!({ "type": "integer", "default": 1 }), None);
    check(json!({ "type": "string", "default": null }), None);
    check(json!({ "default": "x" }), None);
}

#[test]
fn the_example_of_a_list_has_items_that_it_takes() {
    let check = |items: Value, example: &str| {
        let document = json!({ "properties": { "a": { "type": "array", "items": items } } });
        let keys = Schema::of(&document).keys();
        assert_eq!(keys[0].expected, format!("a list such as `{example}`"));
    };
    check(json!({ "type": "integer" }), "[1, 2]");
    check(json!({ "type": "string" }), r#"["a", "b"]"#);
    check(json!({ "type": "boolean" }), "[true, false]");
    check(json!({ "type": "object" }), r#"[{"key": 1}]"#);
    check(json!({ "type": "array" }), "[[1, 2]]");
    check(json!({ "enum": ["x", "y", "z"] }), r#"["x", "y"]"#);
}
