//! Validation of JSON against the venue's own schemas, stricter than the schemas are.
//!
//! The two specification files use a small part of JSON Schema, so this knows exactly that part: a keyword that it does
//! not know makes loading fail, since a keyword that is passed over checks nothing. Two things are added. A field that an
//! object's schema does not name is a fault (the specification says nothing of unknown fields). And decimals are held to
//! what the specification says in words: dollars carry two to six places, counts exactly two.

use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::path::Path;

/// Words that say nothing of validity.
const ANNOTATIONS: [&str; 7] = ["description", "title", "summary", "example", "examples", "default", "deprecated"];
/// Words that are checked.
const CHECKED: [&str; 16] = [
    "$ref",
    "additionalProperties",
    "allOf",
    "const",
    "enum",
    "format",
    "items",
    "maxItems",
    "maxLength",
    "maximum",
    "minItems",
    "minimum",
    "nullable",
    "properties",
    "required",
    "type",
];
const FORMATS: [&str; 5] = ["date-time", "double", "int32", "int64", "uuid"];
/// Component schemas of objects that have no field at all. Every other object without `properties` is free-form.
const EMPTY: [&str; 2] = ["EmptyResponse", "ApplySubaccountTransferResponse"];

/// What is wrong, and where in the instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub at: String,
    pub what: String,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.at, self.what)
    }
}

/// A field that some object of an instance has to have.
#[derive(Clone, Debug)]
pub struct Required {
    /// Place in the schema: names, with `[]` for the items of an array.
    pub at: String,
    /// JSON pointer of the object inside the instance.
    pub object: String,
    pub field: String,
}

/// A specification file with its `components`.
pub struct Document {
    root: Value,
}

/// A schema behind all references, and what was said on the way to it.
#[derive(Clone, Copy)]
struct Resolved<'a> {
    schema: &'a Map<String, Value>,
    nullable: bool,
    /// Name of the last component on the way.
    name: Option<&'a str>,
}

impl Document {
    /// Reads a YAML file. Panics where the file uses a keyword in its schemas that is not understood here.
    pub fn load(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let root: Value = serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let document = Self { root };
        let schemas = document.root["components"]["schemas"].as_object().expect("a specification has schemas");
        for (name, schema) in schemas {
            document.understand(name, schema);
        }
        document
    }

    /// The value at a JSON pointer.
    pub fn at(&self, pointer: &str) -> &Value {
        self.root.pointer(pointer).unwrap_or(&Value::Null)
    }

    /// The value itself, or what it refers to.
    pub fn follow<'a>(&'a self, value: &'a Value) -> &'a Value {
        match value["$ref"].as_str() {
            Some(reference) => {
                let pointer = reference.strip_prefix('#').expect("references stay inside their file");
                let target = self.root.pointer(pointer).unwrap_or_else(|| panic!("{reference} leads nowhere"));
                self.follow(target)
            }
            None => value,
        }
    }

    fn understand(&self, at: &str, schema: &Value) {
        let Some(words) = schema.as_object() else { panic!("{at} is no schema: {schema}") };
        for word in words.keys() {
            let known = word.starts_with("x-") || ANNOTATIONS.contains(&&**word) || CHECKED.contains(&&**word);
            assert!(known, "{at}: the keyword {word} is not understood");
        }
        if let Some(format) = schema["format"].as_str() {
            assert!(FORMATS.contains(&format), "{at}: the format {format} is not understood");
        }
        if let Some(parts) = schema.get("allOf") {
            assert_eq!(parts.as_array().map(Vec::len), Some(1), "{at}: several parts united are not understood");
            self.understand(at, &parts[0]);
        }
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            self.understand(&format!("{at}.{name}"), property);
        }
        for inner in ["items", "additionalProperties"] {
            if schema.get(inner).is_some_and(Value::is_object) {
                self.understand(&format!("{at}.{inner}"), &schema[inner]);
            }
        }
    }

    /// Follows `$ref` and the one-part `allOf` by which OpenAPI 3.0 says more of a reference. `nullable` beside a `$ref`
    /// counts, though OpenAPI 3.0 would ignore it: the descriptions beside it say that null is meant.
    fn resolve<'a>(&'a self, mut schema: &'a Value) -> Resolved<'a> {
        let (mut nullable, mut name) = (false, None);
        loop {
            nullable |= schema["nullable"] == true;
            if let Some(reference) = schema["$ref"].as_str() {
                name = reference.rsplit('/').next();
                let pointer = reference.strip_prefix('#').expect("references stay inside their file");
                schema = self.root.pointer(pointer).unwrap_or_else(|| panic!("{reference} leads nowhere"));
            } else if let Some(part) = schema.pointer("/allOf/0") {
                schema = part;
            } else {
                let schema = schema.as_object().expect("every schema was looked at when the file was read");
                return Resolved { schema, nullable, name };
            }
        }
    }

    /// All that is wrong with `instance`.
    pub fn check(&self, schema: &Value, instance: &Value) -> Vec<Fault> {
        let mut faults = Vec::new();
        self.check_at(schema, instance, "", "", &mut faults);
        faults
    }

    fn check_at(&self, schema: &Value, instance: &Value, at: &str, field: &str, faults: &mut Vec<Fault>) {
        let Resolved { schema, nullable, name } = self.resolve(schema);
        let mut fault = |what: String| faults.push(Fault { at: at.to_owned(), what });
        let types = types(schema);
        if instance.is_null() && (nullable || types.contains("null")) {
            return;
        }
        if !types.is_empty() && !types.iter().any(|kind| is(instance, kind)) {
            return fault(format!("{instance} is not of type {}", Vec::from_iter(types).join(" or ")));
        }
        if let Some(one) = schema.get("const")
            && instance != one
        {
            fault(format!("{instance} is not {one}"));
        }
        if let Some(some) = schema.get("enum").and_then(Value::as_array)
            && !some.contains(instance)
        {
            fault(format!("{instance} is none of {}", Value::from(some.clone())));
        }
        match instance {
            Value::String(text) => {
                let decimals = match name {
                    Some("FixedPointDollars") => Some((2, 6)),
                    Some("FixedPointCount") => Some((2, 2)),
                    _ if field.ends_with("_dollars") => Some((2, 6)),
                    _ if field.ends_with("_fp") => Some((2, 2)),
                    _ => None,
                };
                if let Some((least, most)) = decimals
                    && !is_decimal(text, least, most)
                {
                    fault(format!("{text:?} is no decimal with {least} to {most} places"));
                }
                if schema.get("maxLength").and_then(Value::as_u64).is_some_and(|most| text.len() as u64 > most) {
                    fault(format!("{text:?} is too long"));
                }
                match schema.get("format").and_then(Value::as_str) {
                    Some("date-time") if !is_moment(text) => fault(format!("{text:?} is no RFC 3339 time")),
                    Some("uuid") if !is_uuid(text) => fault(format!("{text:?} is no UUID")),
                    _ => {}
                }
            }
            Value::Number(number) => {
                let value = number.as_f64().expect("a JSON number of this size");
                if schema.get("minimum").and_then(Value::as_f64).is_some_and(|least| value < least) {
                    fault(format!("{value} is too small"));
                }
                if schema.get("maximum").and_then(Value::as_f64).is_some_and(|most| value > most) {
                    fault(format!("{value} is too large"));
                }
                let narrow = schema.get("format").is_some_and(|format| format == "int32");
                if narrow && number.as_i64().is_none_or(|value| i32::try_from(value).is_err()) {
                    fault(format!("{value} does not fit 32 bits"));
                }
            }
            Value::Array(items) => {
                let count = items.len() as u64;
                if schema.get("minItems").and_then(Value::as_u64).is_some_and(|least| count < least) {
                    fault(format!("{count} items are too few"));
                }
                if schema.get("maxItems").and_then(Value::as_u64).is_some_and(|most| count > most) {
                    fault(format!("{count} items are too many"));
                }
                if let Some(each) = schema.get("items") {
                    for (index, item) in items.iter().enumerate() {
                        self.check_at(each, item, &format!("{at}/{index}"), "", faults);
                    }
                }
            }
            Value::Object(fields) => self.check_object(schema, name, fields, at, faults),
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn check_object(
        &self,
        schema: &Map<String, Value>,
        name: Option<&str>,
        fields: &Map<String, Value>,
        at: &str,
        faults: &mut Vec<Fault>,
    ) {
        for field in required(schema) {
            if !fields.contains_key(field) {
                faults.push(Fault { at: format!("{at}/{field}"), what: "is missing".to_owned() });
            }
        }
        let properties = schema.get("properties").and_then(Value::as_object);
        let others = schema.get("additionalProperties");
        let open = match others {
            Some(Value::Bool(open)) => *open,
            Some(_) => false,
            None => properties.is_none() && !name.is_some_and(|name| EMPTY.contains(&name)),
        };
        for (field, value) in fields {
            let at = format!("{at}/{field}");
            if let Some(property) = properties.and_then(|properties| properties.get(field)) {
                self.check_at(property, value, &at, field, faults);
            } else if let Some(other @ Value::Object(_)) = others {
                self.check_at(other, value, &at, field, faults);
            } else if !open {
                faults.push(Fault { at, what: "is not in the specification".to_owned() });
            }
        }
    }

    /// Every field that some object of this instance must have and has.
    pub fn required(&self, schema: &Value, instance: &Value) -> Vec<Required> {
        let mut found = Vec::new();
        self.required_at(schema, instance, "", "", &mut found);
        found
    }

    fn required_at(&self, schema: &Value, instance: &Value, at: &str, pointer: &str, found: &mut Vec<Required>) {
        let schema = self.resolve(schema).schema;
        match instance {
            Value::Object(fields) => {
                for field in required(schema).filter(|field| fields.contains_key(*field)) {
                    found.push(Required { at: at.to_owned(), object: pointer.to_owned(), field: field.to_owned() });
                }
                let properties = schema.get("properties").and_then(Value::as_object);
                for (field, value) in fields {
                    if let Some(property) = properties.and_then(|properties| properties.get(field)) {
                        self.required_at(
                            property,
                            value,
                            &format!("{at}/{field}"),
                            &format!("{pointer}/{field}"),
                            found,
                        );
                    }
                }
            }
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    if let Some(each) = schema.get("items") {
                        self.required_at(each, item, &format!("{at}/[]"), &format!("{pointer}/{index}"), found);
                    }
                }
            }
            _ => {}
        }
    }

    /// Places of all fields that any instance of the schema can be required to have, as `place/field`.
    pub fn requirable(&self, schema: &Value) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        self.requirable_at(schema, "", &mut found);
        found
    }

    fn requirable_at(&self, schema: &Value, at: &str, found: &mut BTreeSet<String>) {
        let schema = self.resolve(schema).schema;
        found.extend(required(schema).map(|field| format!("{at}/{field}")));
        for (field, property) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
            self.requirable_at(property, &format!("{at}/{field}"), found);
        }
        if let Some(each) = schema.get("items") {
            self.requirable_at(each, &format!("{at}/[]"), found);
        }
    }
}

fn types(schema: &Map<String, Value>) -> BTreeSet<&str> {
    match schema.get("type") {
        Some(Value::String(one)) => BTreeSet::from([one.as_str()]),
        Some(Value::Array(some)) => some.iter().filter_map(Value::as_str).collect(),
        _ => BTreeSet::new(),
    }
}

fn required(schema: &Map<String, Value>) -> impl Iterator<Item = &str> {
    schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

fn is(instance: &Value, kind: &str) -> bool {
    match kind {
        "object" => instance.is_object(),
        "array" => instance.is_array(),
        "string" => instance.is_string(),
        "boolean" => instance.is_boolean(),
        "integer" => instance.is_i64() || instance.is_u64(),
        "number" => instance.is_number(),
        "null" => instance.is_null(),
        other => panic!("the type {other} is not understood"),
    }
}

/// Whether `text` is digits, a point and `least` to `most` digits, with or without a minus before.
fn is_decimal(text: &str, least: usize, most: usize) -> bool {
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let Some((whole, places)) = text.strip_prefix('-').unwrap_or(text).split_once('.') else { return false };
    !whole.is_empty() && digits(whole) && digits(places) && (least..=most).contains(&places.len())
}

fn is_moment(text: &str) -> bool {
    // A time with a zone, as RFC 3339 demands; jiff would take more than that.
    text.parse::<jiff::Timestamp>().is_ok() && text.as_bytes().get(10) == Some(&b'T') && text.is_ascii()
}

fn is_uuid(text: &str) -> bool {
    let parts = text.split('-').map(str::len).collect::<Vec<_>>();
    parts == [8, 4, 4, 4, 12] && text.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
}
