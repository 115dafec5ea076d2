//! Everything that the exchange said, held against the specification as it comes: what is wrong, what was seen, and what had
//! to be excused.
//!
//! An excuse is a named place where a capture or the venue's own prose contradicts the specification. Each one carries a
//! schema of its own, as strict as the others, and one that is not needed is a failure: it would only hide something.

use crate::schema::{Document, Fault};
use crate::spec::{Spec, message_name};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// A body that the specification does not know, and the reason why the exchange sends it all the same.
struct Excuse {
    name: &'static str,
    reason: &'static str,
    /// JSON schema of the body.
    schema: fn() -> Value,
}

/// Bodies of errors. The specification has one shape, `{code, message, details}`, all optional.
const ERROR_BODIES: [Excuse; 3] = [
    Excuse {
        name: "error in an envelope",
        reason: "captured for nearly every refusal (PROTOCOL.md 3.1); `service` as in the captures of June 2026",
        schema: || {
            let text = || json!({"type": "string"});
            let fields = json!({"code": text(), "message": text(), "details": text(), "service": text()});
            let error = json!({"type": "object", "required": ["code", "message"], "properties": fields});
            json!({"type": "object", "required": ["error"], "properties": {"error": error}})
        },
    },
    Excuse {
        name: "parameter validation",
        reason: "captured: GET /markets?limit=1001 (PROTOCOL.md 3.1)",
        schema: || json!({"type": "object", "required": ["msg"], "properties": {"msg": {"type": "string"}}}),
    },
    Excuse {
        name: "rate limit",
        reason: "documented and captured: {\"error\":\"too many requests\"} (PROTOCOL.md 3.1, 3.7)",
        schema: || json!({"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}}),
    },
];

/// Statuses of refusals that the specification does not list for every operation that answers with them.
const STATUSES: [(u16, &str); 6] = [
    (404, "captured: whatever is unknown is not found, series too"),
    (409, "a paused market refuses cancels and amends as it refuses creates (PROTOCOL.md 7.2)"),
    (429, "every endpoint draws on a bucket (PROTOCOL.md 3.7)"),
    (502, "a gateway before a venue that is away (PROTOCOL.md 2.1)"),
    (503, "a paused exchange answers nothing that changes state (PROTOCOL.md 7.2)"),
    (504, "a gateway before a venue that is slow"),
];

/// Bodies of gateways, which are no JSON; they come with 5xx alone.
const GATEWAYS: [(&str, &str); 2] = [
    ("page of a gateway", "an injected 5xx with a page of HTML, as gateways before a venue answer"),
    ("silence of a gateway", "an injected 5xx without a body"),
];

/// Requests that no operation of the specification answers.
const OUTSIDE: [(&str, &str, u16, &str); 2] = [
    ("POST", "/portfolio/orders", 410, "first-generation orders were switched off in June 2026 (PROTOCOL.md 3.6)"),
    ("DELETE", "/portfolio/orders/{order_id}", 410, "first-generation orders were switched off in June 2026"),
];

/// Fields of `market_lifecycle_v2` that "will ONLY exist" with these events, as the specification says in words.
const ONLY_WITH: [(&str, &[&str]); 8] = [
    ("exchange_index", &["created"]),
    ("open_ts", &["created"]),
    ("additional_metadata", &["created"]),
    ("close_ts", &["created", "close_date_updated"]),
    ("determination_ts", &["determined"]),
    ("result", &["determined"]),
    ("settlement_value", &["determined"]),
    ("settled_ts", &["settled"]),
];

/// Bodies and messages of one kind, with the schema that they fit.
struct Kind {
    schema: Value,
    /// Whether the schema's references lead into asyncapi.yaml.
    socket: bool,
    instances: Vec<Value>,
}

/// What was seen, under names like `GetMarkets 200` and `orderbookDelta`.
pub struct Ledger<'s> {
    spec: &'s Spec,
    kinds: BTreeMap<String, Kind>,
    answers: u64,
    messages: u64,
    faults: Vec<String>,
    excused: BTreeSet<String>,
}

/// What the mutation control did.
#[derive(Debug, Default)]
pub struct Control {
    /// Mutations that validation noticed: dropped, renamed, retyped fields and unknown ones, in this order.
    pub noticed: [usize; 4],
    /// Those that it did not notice.
    pub survived: Vec<String>,
    /// Required fields that no instance had, so that nothing could be mutated.
    pub never_shown: BTreeSet<String>,
}

impl<'s> Ledger<'s> {
    pub fn new(spec: &'s Spec) -> Self {
        let (kinds, faults, excused) = Default::default();
        Self { spec, kinds, answers: 0, messages: 0, faults, excused }
    }

    fn documents(&self, socket: bool) -> &'s Document {
        if socket { &self.spec.socket } else { &self.spec.rest }
    }

    fn keep(&mut self, name: String, schema: &Value, socket: bool, instance: Value) {
        let kind = || Kind { schema: schema.clone(), socket, instances: Vec::new() };
        self.kinds.entry(name).or_insert_with(kind).instances.push(instance);
    }

    fn blame(&mut self, what: &str, body: &str, faults: &[Fault]) {
        let shown: String = body.chars().take(400).collect();
        let list: Vec<String> = faults.iter().map(Fault::to_string).collect();
        self.faults.push(format!("{what}: {} in {shown}", list.join("; ")));
    }

    /// Takes an answer; `path` is below `/trade-api/v2` and without its query.
    pub fn answer(&mut self, method: &str, path: &str, status: u16, body: &str) {
        self.answers += 1;
        let what = format!("{method} {path} {status}");
        let blamed = |what: &str| vec![Fault { at: String::new(), what: what.to_owned() }];
        let spec = self.spec;
        let Some(operation) = spec.operation(method, path) else {
            let outside = OUTSIDE
                .iter()
                .find(|(verb, pattern, code, _)| *verb == method && *code == status && same_path(pattern, path));
            match outside {
                Some((verb, pattern, ..)) => {
                    self.excused.insert(format!("{verb} {pattern}"));
                    self.refusal(&what, body, None);
                }
                None => self.blame(&what, body, &blamed("there is no such operation")),
            }
            return;
        };
        let name = format!("{} {status}", operation.id);
        let listed = operation.answers.get(&status);
        if status >= 400 {
            if listed.is_none() {
                if !STATUSES.iter().any(|(known, _)| *known == status) {
                    return self.blame(&what, body, &blamed("the operation has no such status"));
                }
                self.excused.insert(format!("status {status}"));
            }
            return self.refusal(&what, body, Some(name));
        }
        match listed {
            None => self.blame(&what, body, &blamed("the operation has no such status")),
            Some(None) if body.is_empty() => {
                let nothing = || Kind { schema: json!({}), socket: false, instances: Vec::new() };
                self.kinds.entry(name).or_insert_with(nothing);
            }
            Some(None) => self.blame(&what, body, &blamed("the operation has no body")),
            Some(Some(schema)) => match serde_json::from_str(body) {
                Err(error) => self.blame(&what, body, &blamed(&format!("no JSON: {error}"))),
                Ok(instance) => {
                    let faults = spec.rest.check(schema, &instance);
                    if !faults.is_empty() {
                        self.blame(&what, body, &faults);
                    }
                    self.keep(name, schema, false, instance);
                }
            },
        }
    }

    /// The body of a refusal: as the specification has it, or excused.
    fn refusal(&mut self, what: &str, body: &str, name: Option<String>) {
        let server = what.rsplit(' ').next().is_some_and(|status| status.starts_with('5'));
        if server && (body.is_empty() || body.starts_with("<html>")) {
            self.excused.insert(GATEWAYS[usize::from(body.is_empty())].0.to_owned());
            return;
        }
        let Ok(instance) = serde_json::from_str::<Value>(body) else {
            return self.blame(what, body, &[Fault { at: String::new(), what: "no JSON".to_owned() }]);
        };
        let schema = json!({"$ref": "#/components/schemas/ErrorResponse"});
        let faults = self.spec.rest.check(&schema, &instance);
        if faults.is_empty() {
            return self.keep(name.unwrap_or_else(|| what.to_owned()), &schema, false, instance);
        }
        for excuse in &ERROR_BODIES {
            let schema = (excuse.schema)();
            if self.spec.rest.check(&schema, &instance).is_empty() {
                self.excused.insert(excuse.name.to_owned());
                return self.keep(excuse.name.to_owned(), &schema, false, instance);
            }
        }
        self.blame(what, body, &faults);
    }

    /// Takes a message; `command` is what it answers, where it has an id.
    pub fn message(&mut self, text: &str, command: Option<&str>) {
        self.messages += 1;
        let blamed = |what: &str| vec![Fault { at: String::new(), what: what.to_owned() }];
        let Ok(message) = serde_json::from_str::<Value>(text) else {
            return self.blame("message", text, &blamed("no JSON"));
        };
        let Some(name) = message_name(&message, command) else {
            return self.blame("message", text, &blamed("there is no such message"));
        };
        let Some(schema) = self.spec.messages.get(name) else {
            return self.blame(name, text, &blamed("the specification has no such message"));
        };
        let mut faults = self.spec.socket.check(schema, &message);
        if !message["sending_ts_ms"].is_i64() {
            // Optional in the specification; on every message since 2026-10-01 (PROTOCOL.md 2.1).
            faults.push(Fault { at: "/sending_ts_ms".to_owned(), what: "is missing".to_owned() });
        }
        if !text.ends_with('\n') {
            // As in the capture (PROTOCOL.md 2.1).
            faults.push(Fault { at: String::new(), what: "the frame does not end with a newline".to_owned() });
        }
        if name == "marketLifecycleV2" {
            let event = message["msg"]["event_type"].as_str().unwrap_or_default();
            let misplaced =
                |(field, events): &&(&str, &[&str])| message["msg"].get(*field).is_some() && !events.contains(&event);
            faults.extend(
                ONLY_WITH.iter().filter(misplaced).map(|(field, _)| Fault {
                    at: format!("/msg/{field}"),
                    what: format!("does not belong to {event}"),
                }),
            );
        }
        if !faults.is_empty() {
            self.blame(name, text, &faults);
        }
        self.keep(name.to_owned(), schema, true, message);
    }

    /// What does not fit, each kind of fault once, with how often it occurred.
    pub fn faults(&self) -> Vec<String> {
        let mut kinds: BTreeMap<String, (usize, &String)> = BTreeMap::new();
        for fault in &self.faults {
            // Instances differ in their numbers; the fault is the same.
            let key = fault.chars().filter(|letter| !letter.is_ascii_digit()).take(100).collect();
            kinds.entry(key).or_insert((0, fault)).0 += 1;
        }
        kinds.into_values().map(|(count, fault)| format!("{count} x {fault}")).collect()
    }

    /// Answers and messages taken.
    pub fn counts(&self) -> (u64, u64) {
        (self.answers, self.messages)
    }

    /// Operations that succeeded at least once.
    pub fn operations(&self) -> BTreeSet<&str> {
        let succeeded = |name: &str| name.rsplit(' ').next().is_some_and(|status| status.starts_with('2'));
        let kinds = self.kinds.keys().filter(|name| succeeded(name));
        kinds.filter_map(|name| name.split(' ').next()).collect()
    }

    /// Messages that came at least once.
    pub fn messages(&self) -> BTreeSet<&str> {
        self.kinds.iter().filter(|(_, kind)| kind.socket).map(|(name, _)| name.as_str()).collect()
    }

    /// Every distinct string that stands in this place of a kind of message or body.
    pub fn values(&self, kind: &str, pointer: &str) -> BTreeSet<&str> {
        let instances = self.kinds.get(kind).map(|kind| kind.instances.as_slice()).unwrap_or_default();
        instances.iter().filter_map(|instance| instance.pointer(pointer)?.as_str()).collect()
    }

    /// Excuses with their reasons, and whether each was needed.
    pub fn excuses(&self) -> Vec<(String, &'static str, bool)> {
        let bodies = ERROR_BODIES.iter().map(|excuse| (excuse.name.to_owned(), excuse.reason));
        let statuses = STATUSES.iter().map(|(status, reason)| (format!("status {status}"), *reason));
        let outside = OUTSIDE.iter().map(|(verb, path, _, reason)| (format!("{verb} {path}"), *reason));
        let gateways = GATEWAYS.iter().map(|(name, reason)| ((*name).to_owned(), *reason));
        let all = bodies.chain(gateways).chain(statuses).chain(outside);
        all.map(|(name, reason)| (name.clone(), reason, self.excused.contains(&name))).collect()
    }

    /// Drops, renames and retypes every required field of everything that was seen, once for each place in its schema, and
    /// adds an unknown field beside it: validation has to notice each.
    pub fn control(&self) -> Control {
        let mut control = Control::default();
        for (name, kind) in &self.kinds {
            let document = self.documents(kind.socket);
            let mut done = BTreeSet::new();
            for instance in &kind.instances {
                for required in document.required(&kind.schema, instance) {
                    let place = format!("{}/{}", required.at, required.field);
                    if !done.insert(place.clone()) {
                        continue;
                    }
                    for (index, mutation) in [drop_field, rename_field, retype_field, add_field].into_iter().enumerate()
                    {
                        let mut mutant = instance.clone();
                        let object = mutant.pointer_mut(&required.object).and_then(Value::as_object_mut);
                        mutation(object.expect("the pointer leads to an object"), &required.field);
                        if document.check(&kind.schema, &mutant).is_empty() {
                            control.survived.push(format!("{name} {place}: mutation {index}"));
                        } else {
                            control.noticed[index] += 1;
                        }
                    }
                }
            }
            let shown = document.requirable(&kind.schema);
            control.never_shown.extend(shown.difference(&done).map(|place| format!("{name} {place}")));
        }
        control
    }
}

/// A scenario that breaks off still tells what was wrong until then: it is often the reason.
impl Drop for Ledger<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.faults().iter().for_each(|fault| eprintln!("{fault}"));
        }
    }
}

fn same_path(pattern: &str, path: &str) -> bool {
    let (pattern, path) = (pattern.split('/').collect::<Vec<_>>(), path.split('/').collect::<Vec<_>>());
    pattern.len() == path.len() && pattern.iter().zip(&path).all(|(want, have)| want.starts_with('{') || want == have)
}

type Fields = serde_json::Map<String, Value>;

fn drop_field(object: &mut Fields, field: &str) {
    object.remove(field);
}

fn rename_field(object: &mut Fields, field: &str) {
    let value = object.remove(field).expect("the field is there");
    object.insert(format!("{field}_"), value);
}

fn retype_field(object: &mut Fields, field: &str) {
    let value = &mut object[field];
    *value = match value {
        Value::Null | Value::Array(_) => json!({}),
        Value::Bool(_) | Value::Number(_) => json!("1"),
        Value::String(_) => json!(1),
        Value::Object(_) => json!([]),
    };
}

fn add_field(object: &mut Fields, field: &str) {
    object.insert(format!("{field}_"), Value::Null);
}
