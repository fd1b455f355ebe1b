//! Names as people and answers write them, read back: bare, quoted as in SQL, or `U&"..."` as [`shown`] writes what
//! cannot be seen.
//!
//! [`shown`]: super::shown()

/// What an upper-case letter outside quotes means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Letters {
    /// The lower-case one, as in SQL. Of letters beyond ASCII, PostgreSQL changes none in UTF-8.
    Fold,
    /// Itself: the text is a raw name, or a key of `table_sizes`.
    Keep,
}

/// A table's name, and its schema's where there is one.
pub fn read_table(text: &str, letters: Letters) -> Option<(Option<String>, String)> {
    let (first, rest) = identifier(text, letters)?;
    match rest.strip_prefix('.') {
        None => rest.is_empty().then_some((None, first)),
        Some(rest) => match identifier(rest, letters)? {
            (second, "") => Some((Some(first), second)),
            _ => None,
        },
    }
}

/// A name that stands in quotes, as it is shown: none for a bare one, which means itself.
pub fn read_quoted(text: &str) -> Option<String> {
    match quoted(text)? {
        (name, "") => Some(name),
        _ => None,
    }
}

/// One name off the front of a text, and what follows it.
fn identifier(text: &str, letters: Letters) -> Option<(String, &str)> {
    if text.starts_with('"') || opens_unicode(text) {
        return quoted(text);
    }
    let end = text.find(['.', '"']).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let name = match letters {
        Letters::Fold => name.to_ascii_lowercase(),
        Letters::Keep => name.to_owned(),
    };
    (!name.is_empty() && !rest.starts_with('"')).then_some((name, rest))
}

fn opens_unicode(text: &str) -> bool {
    text.starts_with("U&\"") || text.starts_with("u&\"")
}

fn quoted(text: &str) -> Option<(String, &str)> {
    let has_escapes = opens_unicode(text);
    let mut rest = if has_escapes {
        &text[3..]
    } else {
        text.strip_prefix('"')?
    };
    let mut name = String::new();
    loop {
        let (before, after) = rest.split_once('"')?;
        name.push_str(before);
        match after.strip_prefix('"') {
            Some(more) => {
                name.push('"');
                rest = more;
            }
            None => {
                let name = if has_escapes { unescaped(&name)? } else { name };
                return (!name.is_empty()).then_some((name, after));
            }
        }
    }
}

/// What `\202E`, `\+01F600` and `\\` stand for.
fn unescaped(text: &str) -> Option<String> {
    let mut name = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        name.push_str(before);
        if let Some(more) = after.strip_prefix('\\') {
            name.push('\\');
            rest = more;
            continue;
        }
        let (digits, more) = match after.strip_prefix('+') {
            Some(long) => (long.get(..6)?, long.get(6..)?),
            None => (after.get(..4)?, after.get(4..)?),
        };
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        // no name has a NUL
        let number = u32::from_str_radix(digits, 16)
            .ok()
            .filter(|number| *number > 0)?;
        name.push(char::from_u32(number)?);
        rest = more;
    }
    name.push_str(rest);
    Some(name)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{shown, shown_table};
    use super::*;

    #[test]
    fn names_are_read_as_sql_reads_them() {
        for (text, expect) in [
            ("orders", Some((None, "orders"))),
            ("Orders", Some((None, "orders"))),
            ("É", Some((None, "É"))),
            ("\"Orders\"", Some((None, "Orders"))),
            ("sales.orders", Some((Some("sales"), "orders"))),
            ("\"a.b\".\"c\"\"d\"", Some((Some("a.b"), "c\"d"))),
            ("U&\"a\\202Eb\"", Some((None, "a\u{202e}b"))),
            ("u&\"\\+01F418\".x", Some((Some("🐘"), "x"))),
            ("U&\"a\\\\b\"\"c\"", Some((None, "a\\b\"c"))),
            ("u&x", Some((None, "u&x"))),
            ("U&\"a\\20\"", None),
            ("U&\"a\\D800\"", None),
            ("U&\"a\\0000\"", None),
            ("U&\"a\\+110000\"", None),
            ("U&\"a\\+00+0041\"", None),
            ("", None),
            (".", None),
            (".a", None),
            ("a.", None),
            ("a.b.c", None),
            ("\"open", None),
            ("\"a\"b", None),
            ("a\"b", None),
            ("\"\"", None),
        ] {
            let expect =
                expect.map(|(schema, table)| (schema.map(str::to_owned), table.to_owned()));
            assert_eq!(read_table(text, Letters::Fold), expect, "{text}");
        }
        let kept = read_table("Sales.Orders", Letters::Keep);
        assert_eq!(kept, Some((Some("Sales".to_owned()), "Orders".to_owned())));
        assert_eq!(read_quoted("\"Sales\"").as_deref(), Some("Sales"));
        assert_eq!(read_quoted("Sales"), None);
        assert_eq!(read_quoted("\"a\".b"), None);
    }

    /// Letters and all else that can stand in a name: no name has a NUL.
    const NAMES: &str = "[a-zA-Z\\PC\\pC\"\\\\.&&[^\\x00]]{1,8}";

    proptest! {
        #[test]
        fn what_is_shown_is_read_back(
            schema in NAMES, table in NAMES
        ) {
            let read = read_table(&shown_table(&schema, &table), Letters::Fold);
            let in_public = (schema == "public").then(|| (None, table.clone()));
            prop_assert_eq!(read, Some(in_public.unwrap_or((Some(schema.clone()), table))));
            let text = shown(&schema);
            let name = read_quoted(&text);
            prop_assert_eq!(name.as_deref().unwrap_or(&text), &*schema);
        }
    }
}
