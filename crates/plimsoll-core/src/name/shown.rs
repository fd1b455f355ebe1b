//! Names and messages as people are shown them: what cannot be seen is written out, what looks alike is told apart.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::{quote_ident, table_key};

/// The major version whose key words are quoted: that of the newest that is known here.
const NEWEST: u32 = 18;

/// A name for people: bare, or in double quotes where SQL needs them; with what cannot be seen written as
/// PostgreSQL's `U&"a\202Eb"`, which it reads as the same name.
pub fn shown(name: &str) -> Cow<'_, str> {
    if !name.chars().any(is_unseen) {
        let quoted = quote_ident(name, NEWEST);
        return if quoted == name {
            Cow::Borrowed(name)
        } else {
            Cow::Owned(quoted)
        };
    }
    let mut out = "U&\"".to_owned();
    for c in name.chars() {
        // Writing to a string cannot fail.
        let _ = match c {
            '\\' => write!(out, "\\\\"),
            '"' => write!(out, "\"\""),
            c if !is_unseen(c) => write!(out, "{c}"),
            c if u32::from(c) > 0xffff => write!(out, "\\+{:06X}", u32::from(c)),
            c => write!(out, "\\{:04X}", u32::from(c)),
        };
    }
    out.push('"');
    out.into()
}

/// A table for people: its name in `public`, `schema.table` elsewhere, each as [`shown`].
pub fn shown_table(schema: &str, table: &str) -> String {
    if [schema, table]
        .iter()
        .all(|name| !name.chars().any(is_unseen))
    {
        return table_key(schema, table, NEWEST);
    }
    if schema == "public" {
        shown(table).into_owned()
    } else {
        format!("{}.{}", shown(schema), shown(table))
    }
}

/// Any text for people, such as a server's message: each character that cannot be seen as `\n` or `\u{202e}`.
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unseen) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '\n' | '\r' | '\t' => out.extend(c.escape_default()),
            c if is_unseen(c) => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
    out.into()
}

/// Whether a character moves the cursor, turns the direction of writing, takes no place, or looks like a space.
const fn is_unseen(c: char) -> bool {
    matches!(
        c,
        // C0, DEL and C1
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}'
        // spaces that are not the space, and line separators
        | '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{2028}' | '\u{2029}' | '\u{202f}' | '\u{205f}'
        | '\u{2800}' | '\u{3000}'
        // what has no width: soft hyphen, joiners, marks of direction, fillers, the byte order mark
        | '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
        | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_shown_as_sql_writes_it() {
        for (name, expect) in [
            ("events", "events"),
            ("Events", "\"Events\""),
            ("user", "\"user\""),
            ("a.b", "\"a.b\""),
            ("say \"hi\"", "\"say \"\"hi\"\"\""),
            ("naïve", "\"naïve\""),
            ("\\xE9", "\"\\xE9\""),
            ("new\nline", "U&\"new\\000Aline\""),
            ("\u{1b}[31mred", "U&\"\\001B[31mred\""),
            ("abc\u{202e}fed", "U&\"abc\\202Efed\""),
            ("zero\u{200b}width", "U&\"zero\\200Bwidth\""),
            ("tag\u{e0041}", "U&\"tag\\+0E0041\""),
            ("a\\b\"c\u{2028}", "U&\"a\\\\b\"\"c\\2028\""),
            ("no\u{a0}break", "U&\"no\\00A0break\""),
        ] {
            assert_eq!(shown(name), expect);
        }
    }

    #[test]
    fn tables_of_different_names_are_shown_differently() {
        for (schema, table, expect) in [
            ("public", "orders", "orders"),
            ("a", "b", "a.b"),
            ("public", "a.b", "\"a.b\""),
            ("a", "b.c", "a.\"b.c\""),
            ("a.b", "c", "\"a.b\".c"),
            ("a\n", "c", "U&\"a\\000A\".c"),
            ("public", "c\u{200d}", "U&\"c\\200D\""),
        ] {
            assert_eq!(shown_table(schema, table), expect);
        }
    }

    #[test]
    fn a_message_keeps_its_line() {
        assert_eq!(
            visible("bad \u{1b}[2J\nname\u{202e} \u{2028}é 🐘 x"),
            "bad \\u{1b}[2J\\nname\\u{202e} \\u{2028}é 🐘 x"
        );
    }
}
