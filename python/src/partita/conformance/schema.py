"""Values that fit a JSON Schema, and such that do not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Schema = dict[str, Any]

#: Of each type a value, in an order in which the first ones fit few others.
OF_TYPE: dict[str, object] = {
    "array": [],
    "object": {},
    "boolean": True,
    "string": "conformance",
    "number": 1.5,
    "integer": 3,
    "null": None,
}


def examples(schema: Schema, root: Schema) -> list[Any]:
    """Returns different values that fit a schema, its default first; none if that is hard."""
    found: list[Any] = []
    for value in _candidates(schema, root):
        if value not in found:
            found.append(value)
    return found


def wrong(schema: Schema, root: Schema) -> list[Any]:
    """Returns a value of a type that a schema does not take, if it says which it takes."""
    types = _types(schema, root)
    if types is None:
        return []
    if "number" in types:
        types.add("integer")
    return [value for kind, value in OF_TYPE.items() if kind not in types][:1]


def _candidates(schema: Schema, root: Schema) -> Iterator[Any]:
    schema = _resolved(schema, root)
    if "default" in schema:
        yield schema["default"]
        if "enum" not in schema and schema.get("type") not in ("boolean", "integer", "number"):
            return  # A text that is made up may fit the schema and still name nothing.
    if "const" in schema:
        yield schema["const"]
    elif "enum" in schema:
        yield from schema["enum"]
    elif "anyOf" in schema or "oneOf" in schema:
        for one in schema.get("anyOf", schema.get("oneOf", [])):
            yield from _candidates(one, root)
    else:
        yield from _of_type(schema, root)


def _of_type(schema: Schema, root: Schema) -> Iterator[Any]:
    kind = schema.get("type")
    if kind == "boolean":
        yield from (True, False)
    elif kind in ("integer", "number"):
        yield from _numbers(schema, 1 if kind == "integer" else 0.5)
    elif kind == "string" and not {"pattern", "format"} & set(schema):
        text = "conformance".ljust(schema.get("minLength", 0), "x")
        yield text[: schema.get("maxLength")]
    elif kind == "array":
        items = examples(schema.get("items", {}), root)[:1]
        if items or not schema.get("minItems"):
            yield items * max(1, schema.get("minItems", 0))
    elif kind == "object":
        yield from _objects(schema, root)
    elif kind == "null":
        yield None


def _numbers(schema: Schema, step: float) -> Iterator[Any]:
    least = schema.get("minimum", schema.get("exclusiveMinimum"))
    most = schema.get("maximum", schema.get("exclusiveMaximum"))
    if least is None:
        least = 0 if most is None else most - 3 * step
    if "multipleOf" in schema:
        return
    least_one = [least] if "exclusiveMinimum" not in schema and least > 0 else []
    for value in (*least_one, least + step, least + 2 * step):
        if most is None or value < most or (value == most and "maximum" in schema):
            yield value


def _objects(schema: Schema, root: Schema) -> Iterator[Any]:
    made: dict[str, Any] = {}
    for key in schema.get("required", []):
        values = examples(schema.get("properties", {}).get(key, {}), root)
        if not values:
            return
        made[key] = values[0]
    yield made


def _types(schema: Schema, root: Schema) -> set[str] | None:
    """Returns the types that a schema takes; `None` if it does not say."""
    schema = _resolved(schema, root)
    named = schema.get("type")
    if named is not None:
        return {named} if isinstance(named, str) else set(named)
    if "enum" in schema or "const" in schema:
        values = schema.get("enum", [schema.get("const")])
        return {"string"} if all(isinstance(value, str) for value in values) else None
    choices = schema.get("anyOf", schema.get("oneOf"))
    if not choices:
        return None
    found = [_types(one, root) for one in choices]
    return None if None in found else {kind for kinds in found for kind in kinds or ()}


def _resolved(schema: Schema, root: Schema) -> Schema:
    """Returns a schema without its references into the document."""
    while "$ref" in schema or len(schema.get("allOf", [])) == 1:
        if "$ref" in schema:
            found: Any = root
            for part in str(schema["$ref"]).removeprefix("#").split("/")[1:]:
                found = found[part.replace("~1", "/").replace("~0", "~")]
        else:
            found = schema["allOf"][0]
        rest = {key: value for key, value in schema.items() if key not in ("$ref", "allOf")}
        schema = {**found, **rest}
    return schema
