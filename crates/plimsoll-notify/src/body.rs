//! The JSON that webhooks and commands get, and the schema of it.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::{PartialSchema as _, ToSchema};

use crate::message::{Message, delivery_key, to_the_millisecond};

/// What a webhook is sent, and what a command reads: one or more messages.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct Body<'a> {
    /// Always `plimsoll.alerts`.
    #[serde(rename = "type")]
    kind: &'static str,
    /// Tells this delivery from every other; the same however often it is sent.
    key: String,
    /// When the latest of the messages came about (UTC).
    timestamp: Timestamp,
    /// What is told.
    data: Data<'a>,
}

/// What is told.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct Data<'a> {
    /// One or more messages, the oldest first.
    messages: &'a [Message],
}

/// The body of these messages, the same however often it is made.
pub(crate) fn json(messages: &[Message]) -> Vec<u8> {
    let latest = messages.iter().map(|message| message.at).max();
    let body = Body {
        kind: "plimsoll.alerts",
        key: delivery_key(messages),
        timestamp: to_the_millisecond(latest.unwrap_or_default()),
        data: Data { messages },
    };
    // Nothing of it can fail to be written.
    serde_json::to_vec(&body).unwrap_or_default()
}

/// The JSON Schema of that body, as `docs/webhook.schema.json` has it.
pub fn schema() -> Value {
    let mut found = Vec::new();
    Body::schemas(&mut found);
    let definitions: serde_json::Map<String, Value> = found
        .into_iter()
        .map(|(name, schema)| (name, json!(schema)))
        .collect();
    let mut schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "What Plimsoll sends to a webhook, and what a command reads",
    });
    let body = json!(Body::schema());
    if let (Value::Object(schema), Value::Object(body)) = (&mut schema, body) {
        schema.extend(body);
        schema.insert("$defs".to_owned(), definitions.into());
    }
    within(&mut schema);
    schema
}

/// References as they are within one document; every key that is always there is required.
fn within(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            if let Some(Value::String(reference)) = map.get_mut("$ref") {
                *reference = reference.replace("#/components/schemas/", "#/$defs/");
            }
            if let Some(Value::Object(properties)) = map.get("properties") {
                let all: Vec<Value> = properties.keys().map(|key| key.as_str().into()).collect();
                map.insert("required".to_owned(), all.into());
            }
            map.values_mut().for_each(within);
        }
        Value::Array(items) => items.iter_mut().for_each(within),
        _ => {}
    }
}
