//! Prometheus as a source: two instant queries, each of which must answer with exactly one number.

use std::time::Duration;

use jiff::Timestamp;
use plimsoll_call::http::{Request, StatusCode, call};
use plimsoll_call::{Address, Login};
use plimsoll_core::disk::pulse::Space;
use secrecy::SecretString;
use serde::Deserialize;
use serde::de::IgnoredAny;
use url::Url;

use super::command::checked;
use super::{TOO_OLD, number};

/// More than this is not read.
const MOST_BYTES: u64 = 1 << 20;

/// Where Prometheus is, what is asked, and how to get in.
#[derive(Debug, Clone, PartialEq)]
pub struct Prometheus {
    /// Its address, with the path that its API is under, if any. Without a password.
    pub url: Url,
    /// The query for the bytes in all.
    pub capacity: String,
    /// The query for the bytes that are left.
    pub available: Option<String>,
    /// How to get in.
    pub login: Login,
    /// How long each query may take.
    pub timeout: Duration,
}

#[derive(Deserialize)]
struct Answer {
    data: Option<Data>,
    #[serde(rename = "errorType")]
    error_type: Option<String>,
}

#[derive(Deserialize)]
#[serde(tag = "resultType", content = "result", rename_all = "lowercase")]
enum Data {
    Scalar((f64, String)),
    Vector(Vec<Element>),
    Matrix(IgnoredAny),
    String(IgnoredAny),
}

#[derive(Deserialize)]
struct Element {
    value: (f64, String),
}

impl Prometheus {
    pub(super) async fn ask(&self, now: Timestamp) -> Result<Space, String> {
        let capacity_bytes = self.query(&self.capacity, now).await?;
        let available_bytes = match &self.available {
            Some(query) => Some(self.query(query, now).await?),
            None => None,
        };
        checked(Space {
            available_bytes,
            ..number(capacity_bytes)
        })
        .map_err(|reason| format!("{} answers with {reason}", self.shown()))
    }

    async fn query(&self, query: &str, now: Timestamp) -> Result<u64, String> {
        let at = self.shown();
        let mut url = self.url.clone();
        let path = format!("{}/api/v1/query", url.path().trim_end_matches('/'));
        url.set_path(&path);
        url.query_pairs_mut().append_pair("query", query);
        let address = Address::parse(&SecretString::from(String::from(url)))
            .map_err(|error| format!("{at} {error}"))?;
        let answer = call(Request {
            address,
            login: self.login.clone(),
            headers: Vec::new(),
            body: None,
            timeout: self.timeout,
            ca_file: None,
            most_bytes: MOST_BYTES,
        });
        let answer = answer.await.map_err(|error| error.to_string())?;
        let status = answer.status;
        if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            return Err(format!(
                "{at} refuses to answer ({status}): look at token_file, or username and password_file"
            ));
        }
        if status.is_redirection() {
            return Err(format!(
                "{at} sends elsewhere ({status}): name that address as `url`"
            ));
        }
        if answer.is_cut {
            return Err(format!("{at} answers with more than {MOST_BYTES} bytes"));
        }
        let answer: Answer = serde_json::from_slice(&answer.body)
            .map_err(|_| format!("{at} does not answer as Prometheus does ({status})"))?;
        let data = answer.data.ok_or_else(|| {
            let kind = answer.error_type.unwrap_or_else(|| status.to_string());
            format!("{at} refuses the query ({kind})")
        })?;
        one_number(data, now).map_err(|reason| format!("{at} answers `{query}` with {reason}"))
    }

    fn shown(&self) -> String {
        self.url.to_string()
    }
}

fn one_number(data: Data, now: Timestamp) -> Result<u64, String> {
    let (at, text) = match data {
        Data::Scalar(value) => value,
        Data::Vector(mut elements) => match (elements.pop(), elements.len()) {
            (Some(only), 0) => only.value,
            (None, _) => return Err("nothing".to_owned()),
            (Some(_), more) => return Err(format!("{} series: name one", more + 1)),
        },
        Data::Matrix(_) | Data::String(_) => return Err("neither a vector nor a scalar".to_owned()),
    };
    let age = (now.as_second() as f64 - at).abs();
    if age.is_nan() || age > TOO_OLD.as_secs_f64() {
        return Err("a value of another time".to_owned());
    }
    let value: f64 = text.parse().map_err(|_| "no number".to_owned())?;
    // Beyond 2^63 it is no size, and would not be exact.
    if !value.is_finite() || !(0.0..9.2e18).contains(&value) {
        return Err(format!("{value}"));
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "its range was looked at"
    )]
    Ok(value as u64)
}
