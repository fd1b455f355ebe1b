//! Query parameters, read strictly: what is unknown, repeated or malformed is an error that says so.

use std::str::FromStr;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use jiff::{SignedDuration, Timestamp};
use utoipa::IntoParams;

use super::{Problem, Shared};
use crate::answer::ask::{self, AskError};

/// Query parameters of one or several kinds.
pub(super) struct Query<T>(pub(super) T);

/// What can be read from query parameters.
pub(super) trait FromParams: Sized {
    /// The names of its parameters, as the specification has them.
    fn names() -> Vec<String>;

    /// Reads them.
    fn read(params: &Params) -> Result<Self, Problem>;
}

/// The names that a derived [`IntoParams`] has.
pub(super) fn names_of<T: IntoParams>() -> Vec<String> {
    T::into_params(|| None)
        .into_iter()
        .map(|parameter| parameter.name)
        .collect()
}

impl<A: FromParams, B: FromParams> FromParams for (A, B) {
    fn names() -> Vec<String> {
        [A::names(), B::names()].concat()
    }

    fn read(params: &Params) -> Result<Self, Problem> {
        Ok((A::read(params)?, B::read(params)?))
    }
}

impl<T: FromParams> FromRequestParts<Shared> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Shared) -> Result<Self, Problem> {
        let now = app.watch.clock().now();
        let params = Params::new(parts.uri.query().unwrap_or_default(), &T::names(), now)?;
        T::read(&params).map(Self)
    }
}

/// The parameters of a request, each at most once.
pub(super) struct Params {
    pairs: Vec<(String, String)>,
    now: Timestamp,
}

impl Params {
    fn new(query: &str, known: &[String], now: Timestamp) -> Result<Self, Problem> {
        let mut pairs: Vec<(String, String)> = Vec::new();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()).into_owned() {
            if !known.contains(&name) {
                let allowed = if known.is_empty() {
                    "this route takes none".to_owned()
                } else {
                    format!("this route takes {}", known.join(", "))
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
        Ok(Self { pairs, now })
    }

    /// The time of the request.
    pub(super) fn now(&self) -> Timestamp {
        self.now
    }

    /// A parameter's text.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.pairs
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// A parameter's text, as it is kept.
    pub(super) fn owned(&self, name: &str) -> Option<String> {
        self.text(name).map(str::to_owned)
    }

    /// A word, or the default.
    pub(super) fn word<T>(&self, name: &str) -> Result<T, Problem>
    where
        T: FromStr<Err = AskError> + Default,
    {
        self.read(name, str::parse).map(Option::unwrap_or_default)
    }

    /// Whatever `parse` makes of it.
    pub(super) fn read<T>(
        &self,
        name: &str,
        parse: impl Fn(&str) -> Result<T, AskError>,
    ) -> Result<Option<T>, Problem> {
        self.text(name)
            .map(parse)
            .transpose()
            .map_err(|error| Problem::asked(name, &error))
    }

    /// A whole number from `least` to `most`.
    pub(super) fn number(
        &self,
        name: &str,
        least: usize,
        most: usize,
    ) -> Result<Option<usize>, Problem> {
        self.read(name, |text| {
            text.parse()
                .ok()
                .filter(|number| (least..=most).contains(number))
                .ok_or_else(|| {
                    AskError::new(text, format!("a whole number from {least} to {most}"))
                })
        })
    }

    /// A time, or an age before now.
    pub(super) fn since(&self, name: &str) -> Result<Option<Timestamp>, Problem> {
        self.read(name, |text| ask::since(text, self.now))
    }
}

/// Which database is asked about.
#[derive(Debug, Clone, Default, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Of {
    /// The configured name of an instance. Not needed while only one is watched.
    pub(super) instance: Option<String>,
    /// The name of a database. Not needed while only one is watched.
    pub(super) database: Option<String>,
}

impl FromParams for Of {
    fn names() -> Vec<String> {
        names_of::<Self>()
    }

    fn read(params: &Params) -> Result<Self, Problem> {
        Ok(Self {
            instance: params.owned("instance"),
            database: params.owned("database"),
        })
    }
}

/// Which database is asked about, and how old the answer may be.
#[derive(Debug, Clone, Default, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct FreshOf {
    /// The configured name of an instance. Not needed while only one is watched.
    pub(super) instance: Option<String>,
    /// The name of a database. Not needed while only one is watched.
    pub(super) database: Option<String>,
    /// How many seconds old the snapshot may be; 0 means a new visit. Without it, a hundred times
    /// what the last visit took, 1 second to 15 minutes.
    #[param(minimum = 0, maximum = 86400)]
    pub(super) max_age: Option<u32>,
}

impl FromParams for FreshOf {
    fn names() -> Vec<String> {
        names_of::<Self>()
    }

    fn read(params: &Params) -> Result<Self, Problem> {
        let max_age = params
            .number("max_age", 0, 86_400)?
            .and_then(|age| u32::try_from(age).ok());
        Ok(Self {
            instance: params.owned("instance"),
            database: params.owned("database"),
            max_age,
        })
    }
}

impl FreshOf {
    /// The age as a length of time.
    pub(super) fn max_age(&self) -> Option<SignedDuration> {
        self.max_age
            .map(|seconds| SignedDuration::from_secs(i64::from(seconds)))
    }
}

/// No parameters at all.
pub(super) struct Nothing;

impl FromParams for Nothing {
    fn names() -> Vec<String> {
        Vec::new()
    }

    fn read(_params: &Params) -> Result<Self, Problem> {
        Ok(Self)
    }
}
