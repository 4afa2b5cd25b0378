use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use serde::{Deserialize, Serialize};

use super::{decode, encode};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Point {
    x: f64,
    label: Option<String>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Shape {
    Nothing,
    Circle(f64),
    Segment(Point, Point),
    Box { width: u8 },
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Pair(i8, (u8, u8));

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Metres(f32);

/// Checks that a value is written as this text, and read back from it.
fn check<T: Serialize + for<'de> Deserialize<'de> + PartialEq + Debug>(value: T, text: &str) {
    let encoded = encode(&value).expect("it can be written");
    assert_eq!(String::from_utf8_lossy(&encoded), text);
    assert_eq!(decode::<T>(text.as_bytes()), Ok(value));
}

#[test]
fn what_json_can_say_is_plain() {
    check((), "null");
    check(true, "true");
    check(u64::MAX, "18446744073709551615");
    check(i128::MIN, "-170141183460469231731687303715884105728");
    check(1.0, "1.0");
    check(0.1_f32, "0.1");
    check(1e300, "1e300");
    check('é', "\"é\"");
    check("a\"\n".to_owned(), r#""a\"\n""#);
    check(Some(3), "3");
    check(None::<u8>, "null");
    check(vec![vec![1, 2], vec![]], "[[1,2],[]]");
    check(BTreeMap::from([("a".to_owned(), 1)]), r#"{"a":1}"#);
    check(Point { x: 2.5, label: None }, r#"{"x":2.5,"label":null}"#);
    check(Metres(1.5), "1.5");
    check(BTreeSet::from([1, 2]), "[1,2]");
}

#[test]
fn what_json_cannot_say_is_tagged_as_python_does() {
    check((1, "a".to_owned()), r#"{"$partita":"tuple","value":[1,"a"]}"#);
    check([1, 2], r#"{"$partita":"tuple","value":[1,2]}"#);
    check(
        Pair(1, (2, 3)),
        r#"{"$partita":"tuple","value":[1,{"$partita":"tuple","value":[2,3]}]}"#,
    );
    check(f64::INFINITY, r#"{"$partita":"float","value":"inf"}"#);
    check(f64::NEG_INFINITY, r#"{"$partita":"float","value":"-inf"}"#);
    check(
        BTreeMap::from([(1, vec!["a".to_owned()]), (2, vec![])]),
        r#"{"$partita":"dict","value":[[1,["a"]],[2,[]]]}"#,
    );
    check(
        BTreeMap::from([("$partita".to_owned(), 1)]),
        r#"{"$partita":"dict","value":[["$partita",1]]}"#,
    );
    let nan: f64 = decode(&encode(&f64::NAN).expect("written")).expect("read");
    assert!(nan.is_nan());
}

#[test]
fn enumerations_are_names_or_objects_with_one_key() {
    check(Shape::Nothing, r#""Nothing""#);
    check(Shape::Circle(1.0), r#"{"Circle":1.0}"#);
    check(Shape::Box { width: 2 }, r#"{"Box":{"width":2}}"#);
    let point = |x| Point { x, label: None };
    check(
        Shape::Segment(point(0.0), point(1.0)),
        r#"{"Segment":{"$partita":"tuple","value":[{"x":0.0,"label":null},{"x":1.0,"label":null}]}}"#,
    );
}

/// Checks that what Python writes is read as this value.
fn reads<T: for<'de> Deserialize<'de> + PartialEq + Debug>(text: &str, value: T) {
    assert_eq!(decode::<T>(text.as_bytes()), Ok(value));
}

#[test]
fn what_python_writes_is_read() {
    reads(r#"{"$partita":"bytes","value":"aGk="}"#, b"hi".to_vec());
    reads(r#"{"$partita":"set","value":[2,1]}"#, BTreeSet::from([1, 2]));
    reads(r#"{"$partita":"tuple","value":[1,2]}"#, vec![1, 2]);
    reads("[1,2]", (1, 2));
    reads("1", 1.0);
    reads(r#"{"label":"a","x":1}"#, Point { x: 1.0, label: Some("a".to_owned()) });
    reads(r#"{"$partita":"tuple","value":[1]}"#, Some(vec![1]));
}

#[test]
fn what_does_not_fit_is_refused_in_words() {
    let check = |text: &str, part: &str| {
        let error = decode::<Vec<f64>>(text.as_bytes()).expect_err("it does not fit");
        assert!(error.to_string().contains(part), "{error}");
    };
    check("[1, \"a\"]", "invalid type: string \"a\", expected f64");
    check(r#"{"$partita":"matrix","value":[]}"#, "kind `matrix`");
    check(r#"{"$partita":"float","value":"big"}"#, "`big` is no number");
    check(r#"{"$partita":"tuple"}"#, "missing field `value`");
    check("[1] 2", "trailing");
}

#[test]
fn values_that_are_nested_too_deep_are_refused() {
    #[derive(Serialize)]
    struct Nested(Vec<Nested>);
    let deep = (0..300).fold(Nested(Vec::new()), |inner, _| Nested(vec![inner]));
    assert!(encode(&deep).expect_err("too deep").to_string().contains("200 levels"));
}
