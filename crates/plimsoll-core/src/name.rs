//! Names as PostgreSQL writes them: what `quote_ident` does, and the keys of `table_sizes`.

mod bytes;
mod read;
mod shown;

pub use bytes::{bytes_of, escaped, of_bytes};
pub use read::{Letters, read_quoted, read_table};
pub use shown::{shown, shown_table, visible};

/// Every key word of PostgreSQL 13 that is not unreserved (`pg_get_keywords()`, `catcode <> 'U'`).
const KEYWORDS: &str = "\
    all analyse analyze and any array as asc asymmetric authorization between bigint binary bit \
    boolean both case cast char character check coalesce collate collation column concurrently \
    constraint create cross current_catalog current_date current_role current_schema \
    current_time current_timestamp current_user dec decimal default deferrable desc distinct do \
    else end except exists extract false fetch float for foreign freeze from full grant greatest \
    group grouping having ilike in initially inner inout int integer intersect interval into is \
    isnull join lateral leading least left like limit localtime localtimestamp national natural \
    nchar none normalize not notnull null nullif numeric offset on only or order out outer \
    overlaps overlay placing position precision primary real references returning right row \
    select session_user setof similar smallint some substring symmetric table tablesample then \
    time timestamp to trailing treat trim true union unique user using values varchar variadic \
    verbose when where window with xmlattributes xmlconcat xmlelement xmlexists xmlforest \
    xmlnamespaces xmlparse xmlpi xmlroot xmlserialize xmltable \
    ";

/// Key words that came later, with the first major version that quotes them.
const LATER_KEYWORDS: [(&str, u32); 13] = [
    ("json", 17),
    ("json_array", 16),
    ("json_arrayagg", 16),
    ("json_exists", 17),
    ("json_object", 16),
    ("json_objectagg", 16),
    ("json_query", 17),
    ("json_scalar", 17),
    ("json_serialize", 17),
    ("json_table", 17),
    ("json_value", 17),
    ("merge_action", 17),
    ("system_user", 16),
];

/// `name` as the function `quote_ident` of a server of major version `major` writes it.
pub fn quote_ident(name: &str, major: u32) -> String {
    if is_safe(name) && !is_keyword(name, major) {
        return name.to_owned();
    }
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The key of a table in `storage_samples.table_sizes`: `quote_ident(table)` in `public`, and
/// `quote_ident(schema).quote_ident(table)` elsewhere.
pub fn table_key(schema: &str, table: &str, major: u32) -> String {
    if schema == "public" {
        quote_ident(table, major)
    } else {
        format!(
            "{}.{}",
            quote_ident(schema, major),
            quote_ident(table, major)
        )
    }
}

fn is_safe(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes
        .next()
        .is_some_and(|b| b.is_ascii_lowercase() || b == b'_')
        && bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

fn is_keyword(name: &str, major: u32) -> bool {
    KEYWORDS.split_whitespace().any(|word| word == name)
        || LATER_KEYWORDS
            .iter()
            .any(|&(word, since)| word == name && major >= since)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_what_the_server_quotes() {
        for (name, quoted) in [
            ("events", "events"),
            ("_x1", "_x1"),
            ("1x", "\"1x\""),
            ("Events", "\"Events\""),
            ("user", "\"user\""),
            ("a.b", "\"a.b\""),
            ("say \"hi\"", "\"say \"\"hi\"\"\""),
            ("naïve", "\"naïve\""),
            ("", "\"\""),
        ] {
            assert_eq!(quote_ident(name, 15), quoted);
        }
        assert_eq!(quote_ident("json", 15), "json");
        assert_eq!(quote_ident("json", 17), "\"json\"");
    }

    #[test]
    fn keys_name_the_schema_outside_public() {
        assert_eq!(table_key("public", "Orders", 15), "\"Orders\"");
        assert_eq!(table_key("sales", "orders", 15), "sales.orders");
        assert_eq!(table_key("a.b", "c", 15), "\"a.b\".c");
    }
}
