//! What an alert is about: an instance, and what of it.

use serde::{Deserialize, Serialize};

use crate::disk::layout::Place;
use crate::disk::state::Volume;

/// The subject of a rule. With the alert's type it is the key of an episode: at most one is open for it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Subject {
    /// The instance.
    pub instance: String,
    /// A database of it.
    pub database: Option<String>,
    /// A schema of that.
    pub schema_name: Option<String>,
    /// A table or set of that.
    pub table_name: Option<String>,
    /// A volume, by its pool. Instances that lie on one share the alert: its subject has no instance.
    pub volume: Option<String>,
    /// What else tells it from others: a slot, a policy, a volume's host; or what it is, where nothing else says so.
    pub name: Option<String>,
}

impl Subject {
    /// An instance as a whole.
    pub fn instance(instance: &str) -> Self {
        Self {
            instance: instance.to_owned(),
            ..Self::default()
        }
    }

    /// A database.
    pub fn database(instance: &str, database: &str) -> Self {
        Self {
            database: Some(database.to_owned()),
            ..Self::instance(instance)
        }
    }

    /// A schema.
    pub fn schema(instance: &str, database: &str, schema: &str) -> Self {
        Self {
            schema_name: Some(schema.to_owned()),
            ..Self::database(instance, database)
        }
    }

    /// A table or a set of tables.
    pub fn table(instance: &str, database: &str, schema: &str, table: &str) -> Self {
        Self {
            table_name: Some(table.to_owned()),
            ..Self::schema(instance, database, schema)
        }
    }

    /// A volume, whoever lies on it.
    pub fn volume(pool: &str) -> Self {
        Self {
            volume: Some(pool.to_owned()),
            ..Self::default()
        }
    }

    /// A volume as a look at an instance tells it. Its host's name is part of it, since other hosts have devices of the
    /// same name; one that is no more than a guess of what the instance lies on is that instance's own.
    pub fn volume_of(instance: &str, volume: &Volume) -> Self {
        let subject = Self {
            name: volume.host.clone(),
            ..Self::volume(&volume.pool)
        };
        if volume.host.is_none() && volume.pool.parse::<Place>().is_ok() {
            return Self {
                instance: instance.to_owned(),
                ..subject
            };
        }
        subject
    }

    /// Plimsoll's own history, which instances share.
    pub fn history() -> Self {
        Self::default().named("the history")
    }

    /// The same with what else tells it from others.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        self.name = Some(name.to_owned());
        self
    }

    /// Whether this is `other` or lies within it: a table of a database, a slot of an instance.
    pub fn is_within(&self, other: &Self) -> bool {
        fn fits(own: Option<&String>, outer: Option<&String>) -> bool {
            outer.is_none() || own == outer
        }
        self.instance == other.instance
            && fits(self.database.as_ref(), other.database.as_ref())
            && fits(self.schema_name.as_ref(), other.schema_name.as_ref())
            && fits(self.table_name.as_ref(), other.table_name.as_ref())
            && fits(self.volume.as_ref(), other.volume.as_ref())
            && fits(self.name.as_ref(), other.name.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_lies_within_its_database_and_a_database_in_no_table() {
        let database = Subject::database("prod", "shop");
        let table = Subject::table("prod", "shop", "public", "orders");
        assert!(table.is_within(&database) && table.is_within(&table));
        assert!(table.is_within(&Subject::instance("prod")));
        assert!(!database.is_within(&table));
        assert!(!table.is_within(&Subject::database("prod", "crm")));
        assert!(!table.is_within(&Subject::database("test", "shop")));
        assert!(!database.is_within(&Subject::volume("ext4 /dev/vda1")));
    }
}
