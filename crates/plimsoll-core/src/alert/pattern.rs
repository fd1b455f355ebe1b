//! Patterns of subjects: `instance/database/schema.table`, with `*` for any text and `?` for one character.
//!
//! A part that is left out stands for all: `prod` is everything of that instance, `*/shop` that database everywhere.
//! The third part names tables as `schema.table` and schemas as `schema`, a database's pattern also what lies within it.
//! `volume:POOL` names volumes, which are no instance's.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::subject::Subject;

/// A pattern.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pattern {
    text: String,
    instance: String,
    database: Option<String>,
    /// Of `schema.table`, and of `schema`.
    table: Option<String>,
    /// Of a volume's pool; then there is nothing else.
    volume: Option<String>,
}

/// A text that is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no pattern: write instance/database/schema.table, with * for any text; parts at the end may be left out; or \
     volume:POOL"
)]
pub struct InvalidPattern(String);

impl FromStr for Pattern {
    type Err = InvalidPattern;

    fn from_str(text: &str) -> Result<Self, InvalidPattern> {
        if let Some(volume) = text.strip_prefix("volume:") {
            if volume.is_empty() {
                return Err(InvalidPattern(text.to_owned()));
            }
            return Ok(Self {
                text: text.to_owned(),
                instance: "*".to_owned(),
                database: None,
                table: None,
                volume: Some(volume.to_owned()),
            });
        }
        let mut parts = text.splitn(3, '/').map(str::trim);
        let mut next = || parts.next().map(str::to_owned);
        let (instance, database, table) = (next().unwrap_or_default(), next(), next());
        let empty = |part: &Option<String>| part.as_deref() == Some("");
        if instance.is_empty() || empty(&database) || empty(&table) {
            return Err(InvalidPattern(text.to_owned()));
        }
        Ok(Self {
            text: text.to_owned(),
            instance,
            database,
            table,
            volume: None,
        })
    }
}

impl TryFrom<String> for Pattern {
    type Error = InvalidPattern;

    fn try_from(text: String) -> Result<Self, InvalidPattern> {
        text.parse()
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> Self {
        pattern.text
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Pattern {
    /// Whether it names tables or schemas: then the rules that are about databases judge these, too.
    pub const fn names_tables(&self) -> bool {
        self.table.is_some()
    }

    /// Whether it may name tables or schemas of a database.
    pub fn names_tables_of(&self, instance: &str, database: &str) -> bool {
        let named = self.database.as_deref();
        self.names_tables()
            && is_like(&self.instance, instance)
            && named.is_some_and(|named| is_like(named, database))
    }

    /// Whether it names a table, as `schema.table`, or a schema, of a database that it fits.
    pub fn names(&self, name: &str) -> bool {
        self.table
            .as_ref()
            .is_some_and(|table| is_like(table, name))
    }

    /// Whether it may fit something of an instance with these databases; none are all that there may be. Which tables and
    /// volumes there are is not known by names alone.
    pub fn may_fit(&self, instance: &str, databases: Option<&[String]>) -> bool {
        let fits_database = match (&self.database, databases) {
            (Some(pattern), Some(all)) => all.iter().any(|database| is_like(pattern, database)),
            _ => true,
        };
        self.volume.is_some() || (is_like(&self.instance, instance) && fits_database)
    }

    /// Whether it fits a subject.
    pub fn fits(&self, subject: &Subject) -> bool {
        let schema = subject.schema_name.as_deref();
        let table = schema.map(|schema| match &subject.table_name {
            Some(table) => format!("{schema}.{table}"),
            None => schema.to_owned(),
        });
        let fits = |pattern: Option<&String>, text: Option<&str>| match (pattern, text) {
            (None, _) => true,
            (Some(pattern), Some(text)) => is_like(pattern, text),
            (Some(_), None) => false,
        };
        is_like(&self.instance, &subject.instance)
            && fits(self.database.as_ref(), subject.database.as_deref())
            && fits(self.table.as_ref(), table.as_deref())
            && fits(self.volume.as_ref(), subject.volume.as_deref())
    }
}

/// Whether `text` is what `pattern` says. Without copies and in at most quadratic time, whatever the pattern.
fn is_like(pattern: &str, text: &str) -> bool {
    let (mut pattern, mut text) = (pattern, text);
    // What comes behind the last star, and from where on it was tried.
    let mut star: Option<(&str, &str)> = None;
    while let Some(c) = text.chars().next() {
        let rest = text.get(c.len_utf8()..).unwrap_or_default();
        match pattern.chars().next() {
            Some('*') => {
                pattern = pattern.get(1..).unwrap_or_default();
                star = Some((pattern, text));
            }
            Some(p) if p == '?' || p == c => {
                pattern = pattern.get(p.len_utf8()..).unwrap_or_default();
                text = rest;
            }
            _ => {
                let Some((behind, tried)) = star else {
                    return false;
                };
                let mut shorter = tried.chars();
                shorter.next();
                (pattern, text) = (behind, shorter.as_str());
                star = Some((pattern, text));
            }
        }
    }
    pattern.chars().all(|c| c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_fits_what_it_names_and_what_lies_within() {
        let orders = Subject::table("prod", "shop", "public", "orders_2026");
        let shop = Subject::database("prod", "shop");
        let cases = [
            ("*", true, true),
            ("prod", true, true),
            ("prod/shop", true, true),
            ("prod/shop/public.orders_*", true, false),
            ("*/*/*.orders_202?", true, false),
            ("*/*/public.orders", false, false),
            ("test", false, false),
            ("prod/crm", false, false),
            ("p*d/s*p", true, true),
            ("prod/shop/*", true, false),
        ];
        for (text, table, database) in cases {
            let pattern: Pattern = text.parse().unwrap();
            assert_eq!(pattern.fits(&orders), table, "{text} and the table");
            assert_eq!(pattern.fits(&shop), database, "{text} and the database");
        }
        let schema = Subject::schema("prod", "shop", "sales");
        for (text, fits) in [
            ("prod/shop", true),
            ("prod/shop/sales", true),
            ("prod/shop/s*", true),
            ("prod/shop/sales.*", false),
            ("prod/shop/public", false),
        ] {
            let pattern: Pattern = text.parse().unwrap();
            assert_eq!(pattern.fits(&schema), fits, "{text} and the schema");
            let is_told = pattern.names_tables_of("prod", "shop") && pattern.names("sales");
            assert_eq!(is_told, fits && text != "prod/shop", "{text}");
        }
        let volume = Subject::volume("/dev/vda1");
        for (text, fits) in [
            ("*", true),
            ("volume:/dev/vd*", true),
            ("volume:*", true),
            ("volume:/dev/sda", false),
            ("prod", false),
            ("*/*", false),
        ] {
            assert_eq!(
                text.parse::<Pattern>().unwrap().fits(&volume),
                fits,
                "{text}"
            );
        }
        assert!(!"volume:*".parse::<Pattern>().unwrap().fits(&shop));
        for text in ["volume:", "", "/shop", "prod/", "prod//t", "prod/shop/"] {
            assert!(text.parse::<Pattern>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn stars_take_any_text_and_hostile_patterns_end() {
        assert!(is_like("a*b*c", "aXXbYYc") && !is_like("a*b*c", "aXXbYY"));
        assert!(is_like("**", "") && is_like("*", "x/y") && !is_like("?", ""));
        assert!(!is_like(&"*a".repeat(50), &"a".repeat(49)));
        assert!(is_like("a.b", "a.b") && !is_like("a.b", "axb"));
        assert!(is_like("é*?x", "éüüx") && !is_like("?", "ab") && is_like("*é", "aéé"));
    }
}
