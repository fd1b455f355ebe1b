//! Values as the server sends them: its text need not be UTF-8.

use std::borrow::Cow;
use std::error::Error;

use tokio_postgres::types::{FromSql, Type};

/// The bytes of a `name` or `text`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RawText<'a>(pub &'a [u8]);

impl<'a> RawText<'a> {
    /// As text, where it is ASCII by its nature; what is not shows as replacement characters.
    pub(crate) fn text(self) -> Cow<'a, str> {
        String::from_utf8_lossy(self.0)
    }
}

impl<'a> FromSql<'a> for RawText<'a> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(raw))
    }

    fn accepts(kind: &Type) -> bool {
        matches!(*kind, Type::NAME | Type::TEXT)
    }
}

/// A `"char"`: `relkind` and its like.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Char(pub u8);

impl<'a> FromSql<'a> for Char {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        raw.first()
            .map(|byte| Self(*byte))
            .ok_or_else(|| "an empty \"char\"".into())
    }

    fn accepts(kind: &Type) -> bool {
        *kind == Type::CHAR
    }
}
