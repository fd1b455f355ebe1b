//! Names of schemas and access methods, and whose temporary schema is which.

use std::collections::HashMap;
use std::sync::Arc;

use plimsoll_core::Oid;

use crate::catalog::PERMANENT;
use crate::error::VisitError;
use crate::session::Session;

/// `pg_am.oid` and `amname` since 9.6, and 12 for `heap`.
const BUILT_IN_ACCESS_METHODS: [(Oid, &str); 7] = [
    (2, "heap"),
    (403, "btree"),
    (405, "hash"),
    (783, "gist"),
    (2742, "gin"),
    (3580, "brin"),
    (4000, "spgist"),
];

/// What relations refer to by number.
#[derive(Debug, Default)]
pub(super) struct Names {
    schemas: HashMap<Oid, Schema>,
    access_methods: HashMap<Oid, Arc<str>>,
}

#[derive(Debug)]
struct Schema {
    name: Arc<str>,
    /// The backend whose temporary schema it is, or [`PERMANENT`].
    temporary_backend: i32,
}

impl Names {
    pub(super) async fn read(session: &Session) -> Result<Self, VisitError> {
        let mut names = Self::default();
        session
            .stream(include_str!("schemas.sql"), &[], |row| {
                let name: Arc<str> = session.text(&row, 1)?.into();
                let temporary_backend = temporary_backend(&name).unwrap_or(PERMANENT);
                names.schemas.insert(
                    session.read(&row, 0)?,
                    Schema {
                        name,
                        temporary_backend,
                    },
                );
                Ok(())
            })
            .await?;
        let read = session
            .stream(include_str!("access_methods.sql"), &[], |row| {
                let name = session.text(&row, 1)?.into();
                names.access_methods.insert(session.read(&row, 0)?, name);
                Ok(())
            })
            .await;
        match read {
            // No size needs them; those that every server has are known by number.
            Err(VisitError::PermissionDenied { reason, .. }) => {
                tracing::debug!(reason, "storage.catalog.access_methods_not_read");
                let built_in = BUILT_IN_ACCESS_METHODS.map(|(oid, name)| (oid, name.into()));
                names.access_methods.extend(built_in);
            }
            read => read?,
        }
        Ok(names)
    }

    /// `nspname`; of a schema that was dropped in between, its number.
    pub(super) fn schema(&self, oid: Oid) -> Arc<str> {
        self.schemas
            .get(&oid)
            .map_or_else(|| oid.to_string().into(), |schema| schema.name.clone())
    }

    /// The schema of a name, if there is one.
    pub(super) fn schema_named(&self, name: &str) -> Option<Oid> {
        let mut schemas = self.schemas.iter();
        schemas
            .find(|(_, schema)| *schema.name == *name)
            .map(|(oid, _)| *oid)
    }

    pub(super) fn access_method(&self, oid: Oid) -> Option<&Arc<str>> {
        self.access_methods.get(&oid)
    }

    pub(super) fn temporary_backend(&self, schema: Oid) -> i32 {
        self.schemas
            .get(&schema)
            .map_or(PERMANENT, |schema| schema.temporary_backend)
    }
}

/// The backend's number in `pg_temp_36` and `pg_toast_temp_36`, which its files carry as `t36_`.
fn temporary_backend(schema: &str) -> Option<i32> {
    schema
        .strip_prefix("pg_temp_")
        .or_else(|| schema.strip_prefix("pg_toast_temp_"))?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn temporary_schemas_name_their_backend() {
        for (schema, backend) in [
            ("pg_temp_36", Some(36)),
            ("pg_toast_temp_0", Some(0)),
            ("pg_toast", None),
            ("pg_temp_x", None),
            ("public", None),
        ] {
            assert_eq!(temporary_backend(schema), backend, "{schema}");
        }
    }
}
