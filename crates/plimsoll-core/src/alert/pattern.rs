//! Patterns of subjects: `instance/database/schema.table`, with `*` for any text and `?` for one character.
//!
//! A part that is left out stands for all: `prod` is everything of that instance, `*/shop` that database everywhere.
//! A table's pattern names tables only, a database's pattern also what lies within it. `volume:POOL` names volumes, which
//! are no instance's.

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
    /// Of `schema.table`.
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
    /// Whether it names tables: then the rules that are about databases judge these, too.
    pub const fn names_tables(&self) -> bool {
        self.table.is_some()
    }

    /// Whether it fits a subject.
    pub fn fits(&self, subject: &Subject) -> bool {
        let table = subject.table_name.as_deref().map(|table| {
            let schema = subject.schema_name.as_deref().unwrap_or_default();
            format!("{schema}.{table}")
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

/// Whether `text` is what `pattern` says. In linear space and at most quadratic time, whatever the pattern.
fn is_like(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    // Where the last star stood, and from where on the text was tried behind it.
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p + 1, t));
                p += 1;
            }
            Some(&c) if c == '?' || text.get(t) == Some(&c) => {
                p += 1;
                t += 1;
            }
            _ => {
                let Some((behind, tried)) = star else {
                    return false;
                };
                star = Some((behind, tried + 1));
                p = behind;
                t = tried + 1;
            }
        }
    }
    pattern.iter().skip(p).all(|&c| c == '*')
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
    }
}
