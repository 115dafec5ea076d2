//! The venue's two specification files as questions: which operation is this request, which schema has its answer, which
//! schema has this message.
//!
//! The files lie beside the recordings and are never copied into the repository; tests without them are skipped.

use crate::schema::Document;
use serde_json::Value;
use std::collections::BTreeMap;

/// One method on one path of openapi.yaml.
#[derive(Debug)]
pub struct Operation {
    pub id: String,
    method: String,
    /// Segments of the path; those in braces are parameters.
    segments: Vec<String>,
    /// JSON schema of the body by status; none where there is no body.
    pub answers: BTreeMap<u16, Option<Value>>,
}

/// Both files.
pub struct Spec {
    pub rest: Document,
    pub socket: Document,
    pub operations: Vec<Operation>,
    /// Name of each message that a server sends, and its schema.
    pub messages: BTreeMap<String, Value>,
}

impl Spec {
    /// The files beside the recordings, or none (said on stderr) where they are not at hand.
    pub fn at_hand() -> Option<Self> {
        let folder = isobar_tests::data()?.join("../kalshi");
        let (rest, socket) = (folder.join("openapi.yaml"), folder.join("asyncapi.yaml"));
        if !rest.is_file() || !socket.is_file() {
            eprintln!("skipped: the venue's specification is not in {}", folder.display());
            return None;
        }
        let (rest, socket) = (Document::load(&rest), Document::load(&socket));
        let operations = operations(&rest);
        let messages = messages(&socket);
        Some(Self { rest, socket, operations, messages })
    }

    /// The operation of a request; a literal segment wins over a parameter. `path` is below `/trade-api/v2`.
    pub fn operation(&self, method: &str, path: &str) -> Option<&Operation> {
        let asked: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        let fits = |operation: &&Operation| {
            operation.method == method
                && operation.segments.len() == asked.len()
                && operation.segments.iter().zip(&asked).all(|(segment, asked)| parameter(segment) || segment == asked)
        };
        let parameters =
            |operation: &&Operation| operation.segments.iter().filter(|segment| parameter(segment)).count();
        self.operations.iter().filter(fits).min_by_key(parameters)
    }
}

fn parameter(segment: &str) -> bool {
    segment.starts_with('{')
}

fn operations(rest: &Document) -> Vec<Operation> {
    let mut operations = Vec::new();
    for (path, methods) in rest.at("/paths").as_object().expect("paths") {
        for (method, operation) in methods.as_object().expect("methods") {
            let Some(id) = operation["operationId"].as_str() else { continue };
            let answers = operation["responses"].as_object().expect("responses").iter();
            let answers = answers.map(|(status, answer)| {
                let content = &rest.follow(answer)["content"];
                let schema = content.pointer("/application~1json/schema").cloned();
                (status.parse().expect("a status"), schema)
            });
            operations.push(Operation {
                id: id.to_owned(),
                method: method.to_uppercase(),
                segments: path.trim_start_matches('/').split('/').map(str::to_owned).collect(),
                answers: answers.collect(),
            });
        }
    }
    operations
}

/// Messages that travel from the server to the client: `send` in AsyncAPI is what the application, the server, does.
fn messages(socket: &Document) -> BTreeMap<String, Value> {
    let mut messages = BTreeMap::new();
    for operation in socket.at("/operations").as_object().expect("operations").values() {
        if operation["action"] != "send" {
            continue;
        }
        for message in operation["messages"].as_array().into_iter().flatten() {
            let message = socket.follow(message);
            let payload = &message["payload"];
            // Ping and Pong are no JSON.
            if socket.follow(payload)["properties"]["type"]["const"].is_string() {
                let reference = payload["$ref"].as_str().expect("payloads are components");
                let name = reference.rsplit('/').next().expect("a name").trim_end_matches("Payload");
                messages.insert(name.to_owned(), payload.clone());
            }
        }
    }
    messages
}

/// Name of the schema that a message must fit. `command` is what its `id` answers, where it has one.
pub fn message_name(message: &Value, command: Option<&str>) -> Option<&'static str> {
    let subject = message["msg"]["event_type"].as_str();
    Some(match (message["type"].as_str()?, subject, command) {
        ("subscribed", ..) => "subscribedResponse",
        ("unsubscribed", ..) => "unsubscribedResponse",
        ("ok", _, Some("list_subscriptions")) => "listSubscriptionsResponse",
        ("ok", ..) => "okResponse",
        ("error", ..) => "errorResponse",
        ("orderbook_snapshot", ..) => "orderbookSnapshot",
        ("orderbook_delta", ..) => "orderbookDelta",
        ("ticker", ..) => "ticker",
        ("trade", ..) => "trade",
        ("fill", ..) => "fill",
        ("user_order", ..) => "userOrder",
        ("market_position", ..) => "marketPosition",
        ("market_lifecycle_v2", Some("metadata_updated"), _) => "marketMetadataUpdated",
        ("market_lifecycle_v2", ..) => "marketLifecycleV2",
        ("event_lifecycle", ..) => "eventLifecycle",
        ("event_fee_update", ..) => "eventFeeUpdate",
        ("order_group_updates", ..) => "orderGroupUpdates",
        _ => return None,
    })
}
