//! Query parameters, read strictly: what is unknown, repeated or malformed is an error that says so.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};
use utoipa::openapi::{KnownFormat, Required, SchemaFormat};

use super::{Problem, Shared};
use crate::ask::{Accepts, Ask, Given, Param};

/// What a request asks with its query parameters. As [`IntoParams`] it is their specification.
pub(super) struct Query<T>(pub(super) T);

impl<T: Ask> FromRequestParts<Shared> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Shared) -> Result<Self, Problem> {
        let pairs = pairs(parts.uri.query().unwrap_or_default(), &T::params())?;
        let given = Given::new(pairs, app.watch.clock().now());
        Ok(Self(T::read(&given)?))
    }
}

/// The parameters of a request: only declared ones, each at most once.
fn pairs(query: &str, declared: &[&Param]) -> Result<Vec<(String, String)>, Problem> {
    let mut pairs: Vec<(String, String)> = Vec::new();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()).into_owned() {
        if !declared.iter().any(|param| param.name == name) {
            let names: Vec<_> = declared.iter().map(|param| param.name).collect();
            let allowed = if names.is_empty() {
                "this route takes none".to_owned()
            } else {
                format!("this route takes {}", names.join(", "))
            };
            return Err(Problem::parameter(
                &name,
                format!("there is no parameter `{name}`; {allowed}"),
            ));
        }
        if pairs.iter().any(|(before, _)| *before == name) {
            return Err(Problem::parameter(
                &name,
                format!("`{name}` is given twice"),
            ));
        }
        pairs.push((name, value));
    }
    Ok(pairs)
}

impl<T: Ask> IntoParams for Query<T> {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        T::params().into_iter().map(specified).collect()
    }
}

fn specified(param: &Param) -> Parameter {
    ParameterBuilder::new()
        .name(param.name)
        .parameter_in(ParameterIn::Query)
        .required(Required::False)
        .description(Some(format!("{}.", param.text)))
        .schema(Some(schema(param)))
        .build()
}

fn schema(param: &Param) -> Object {
    let default = |value: &str| match param.accepts {
        Accepts::Number { .. } => value
            .parse::<u32>()
            .map_or_else(|_| value.into(), Into::into),
        _ => serde_json::Value::from(value),
    };
    let object = match param.accepts {
        Accepts::Number { least, most } => ObjectBuilder::new()
            .schema_type(Type::Integer)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int32)))
            .minimum(Some(least))
            .maximum(Some(most)),
        Accepts::OneOf(words) => ObjectBuilder::new()
            .schema_type(Type::String)
            .enum_values(Some(words.iter().copied())),
        _ => ObjectBuilder::new()
            .schema_type(Type::String)
            .pattern(param.accepts.pattern()),
    };
    object.default(param.default.map(default)).build()
}
