//! Parameters that know their types.
//!
//! So a statement needs no name on the server to be asked for them: it is parsed, run and forgotten in one
//! message, and a pooler may give each transaction another backend.

use jiff::Timestamp;
use tokio_postgres::types::{ToSql, Type};

use crate::rows::Value;

/// A parameter of a statement.
pub(super) trait Param: ToSql + Sync {
    /// The type that the server is told.
    fn sql_type(&self) -> Type;

    fn as_sql(&self) -> &(dyn ToSql + Sync);
}

/// A type whose values all have one type on the server; and the type of a list of them.
pub(super) trait Typed {
    const TYPE: Type;
    const LIST: Type;
}

macro_rules! typed {
    ($($rust:ty => $one:ident, $list:ident;)+) => {$(
        impl Typed for $rust {
            const TYPE: Type = Type::$one;
            const LIST: Type = Type::$list;
        }
    )+};
}

typed! {
    bool => BOOL, BOOL_ARRAY;
    i32 => INT4, INT4_ARRAY;
    i64 => INT8, INT8_ARRAY;
    u32 => OID, OID_ARRAY;
    str => TEXT, TEXT_ARRAY;
    String => TEXT, TEXT_ARRAY;
    Timestamp => TIMESTAMPTZ, TIMESTAMPTZ_ARRAY;
}

impl<T: Typed + ?Sized> Typed for &T {
    const TYPE: Type = T::TYPE;
    const LIST: Type = T::LIST;
}

impl<T: Typed> Typed for Option<T> {
    const TYPE: Type = T::TYPE;
    const LIST: Type = T::LIST;
}

impl<T: Typed> Typed for Vec<T> {
    const TYPE: Type = T::LIST;
    const LIST: Type = T::LIST;
}

impl<T: Typed> Typed for [T] {
    const TYPE: Type = T::LIST;
    const LIST: Type = T::LIST;
}

impl<T: Typed + ToSql + Sync> Param for T {
    fn sql_type(&self) -> Type {
        T::TYPE
    }

    fn as_sql(&self) -> &(dyn ToSql + Sync) {
        self
    }
}

impl Param for Value {
    /// Numbers and what is null take the type that the statement gives them, as if they were written there.
    fn sql_type(&self) -> Type {
        match self {
            Self::Null | Self::Int(_) => Type::UNKNOWN,
            Self::Bool(_) => Type::BOOL,
            Self::Text(_) => Type::TEXT,
            Self::Time(_) => Type::TIMESTAMPTZ,
            Self::Ids(_) => Type::INT4_ARRAY,
            Self::BigIds(_) => Type::INT8_ARRAY,
            Self::Texts(_) => Type::TEXT_ARRAY,
        }
    }

    fn as_sql(&self) -> &(dyn ToSql + Sync) {
        self
    }
}

/// The values of one column of a batch.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) list: Type,
    pub(super) values: Vec<Value>,
}

impl ToSql for Column {
    fn to_sql(
        &self,
        column: &Type,
        out: &mut bytes::BytesMut,
    ) -> Result<tokio_postgres::types::IsNull, Box<dyn std::error::Error + Sync + Send>> {
        self.values.to_sql(column, out)
    }

    fn accepts(column: &Type) -> bool {
        <Vec<Value> as ToSql>::accepts(column)
    }

    tokio_postgres::types::to_sql_checked!();
}

impl Param for Column {
    fn sql_type(&self) -> Type {
        self.list.clone()
    }

    fn as_sql(&self) -> &(dyn ToSql + Sync) {
        self
    }
}
