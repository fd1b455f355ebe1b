//! Text as the server keeps it, in the encoding of its database. The server is not asked to convert: a single
//! byte that it cannot convert would cost the whole answer.

use std::borrow::Cow;
use std::collections::HashMap;

use encoding_rs as table;
use plimsoll_core::name;

/// How bytes of a server's text are read.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Encoding {
    Utf8,
    /// One byte a character. In ISO's, bytes 80 to 9F are control characters.
    Single {
        table: &'static table::Encoding,
        is_iso: bool,
    },
    Multi(&'static table::Encoding),
    /// `SQL_ASCII`, which is none, and those that no table is at hand for: UTF-8 where it is that.
    Unknown,
}

impl Encoding {
    /// By its name in `server_encoding` and `pg_encoding_to_char`.
    pub(crate) fn named(name: &str) -> Self {
        let iso = |table| Self::Single {
            table,
            is_iso: true,
        };
        let single = |table| Self::Single {
            table,
            is_iso: false,
        };
        match name {
            "UTF8" => Self::Utf8,
            // The web's tables for these two are Microsoft's, which differ in 80 to 9F only.
            "LATIN1" => iso(table::WINDOWS_1252),
            "LATIN5" => iso(table::WINDOWS_1254),
            "LATIN2" => iso(table::ISO_8859_2),
            "LATIN3" => iso(table::ISO_8859_3),
            "LATIN4" => iso(table::ISO_8859_4),
            "LATIN6" => iso(table::ISO_8859_10),
            "LATIN7" => iso(table::ISO_8859_13),
            "LATIN8" => iso(table::ISO_8859_14),
            "LATIN9" => iso(table::ISO_8859_15),
            "LATIN10" => iso(table::ISO_8859_16),
            "ISO_8859_5" => iso(table::ISO_8859_5),
            "ISO_8859_6" => iso(table::ISO_8859_6),
            "ISO_8859_7" => iso(table::ISO_8859_7),
            "ISO_8859_8" => iso(table::ISO_8859_8),
            "WIN1250" => single(table::WINDOWS_1250),
            "WIN1251" => single(table::WINDOWS_1251),
            "WIN1252" => single(table::WINDOWS_1252),
            "WIN1253" => single(table::WINDOWS_1253),
            "WIN1254" => single(table::WINDOWS_1254),
            "WIN1255" => single(table::WINDOWS_1255),
            "WIN1256" => single(table::WINDOWS_1256),
            "WIN1257" => single(table::WINDOWS_1257),
            "WIN1258" => single(table::WINDOWS_1258),
            "WIN866" => single(table::IBM866),
            "WIN874" => single(table::WINDOWS_874),
            "KOI8R" => single(table::KOI8_R),
            "KOI8U" => single(table::KOI8_U),
            "EUC_JP" => Self::Multi(table::EUC_JP),
            "EUC_KR" => Self::Multi(table::EUC_KR),
            "EUC_CN" => Self::Multi(table::GBK),
            _ => Self::Unknown,
        }
    }

    /// Text of the database whose encoding it is. A byte without a character shows as `\xE9`, and no two
    /// different texts are read alike.
    pub(crate) fn text(self, bytes: &[u8]) -> Cow<'_, str> {
        match self {
            Self::Unknown => name::of_bytes(bytes),
            // The server lets nothing else in, so nothing that looks like an escape is one.
            Self::Utf8 => {
                std::str::from_utf8(bytes).map_or_else(|_| name::of_bytes(bytes), Cow::from)
            }
            Self::Single { table, is_iso } => pieces(bytes, |byte| {
                let character = table.decode_without_bom_handling_and_without_replacement(byte)?;
                let is_control = (is_iso && matches!(byte, [0x80..=0x9f]))
                    || character.chars().any(|c| matches!(c, '\u{80}'..='\u{9f}'));
                (!is_control).then_some(character)
            }),
            Self::Multi(table) => {
                let text = table
                    .decode_without_bom_handling_and_without_replacement(bytes)
                    // Where two codes mean one character, only the usual one is read.
                    .filter(|text| *table.encode(text).0 == *bytes);
                text.map_or_else(|| pieces(bytes, |_| None), name::escaped)
            }
        }
    }

    /// A name that all databases share: it may have come from any of them, so UTF-8 is believed first.
    pub(crate) fn shared(self, bytes: &[u8]) -> Cow<'_, str> {
        match (std::str::from_utf8(bytes), self) {
            (Err(_), Self::Single { .. } | Self::Multi(_)) => self.text(bytes),
            _ => name::of_bytes(bytes),
        }
    }
}

/// ASCII as it is, each other byte by itself.
fn pieces<'a>(
    bytes: &'a [u8],
    character: impl Fn(&'a [u8]) -> Option<Cow<'a, str>>,
) -> Cow<'a, str> {
    let mut out = String::with_capacity(bytes.len());
    let mut known = String::new();
    for byte in bytes.chunks(1) {
        let is_ascii = byte.is_ascii();
        if is_ascii {
            known.extend(byte.iter().copied().map(char::from));
        } else if let Some(character) = character(byte) {
            known.push_str(&character);
        } else {
            out.push_str(&name::escaped(std::mem::take(&mut known).into()));
            out.push_str(&name::of_bytes(byte));
        }
    }
    out.push_str(&name::escaped(known.into()));
    out.into()
}

/// Names that all databases share, as they are shown: where two would be shown alike, the bytes of those that
/// are not UTF-8 are written out.
pub(crate) fn shown_apart(names: &[(Vec<u8>, Encoding)]) -> Vec<String> {
    let shown: Vec<_> = names
        .iter()
        .map(|(bytes, encoding)| encoding.shared(bytes))
        .collect();
    let mut uses: HashMap<&str, u32> = HashMap::new();
    for shown in &shown {
        *uses.entry(shown).or_default() += 1;
    }
    names
        .iter()
        .zip(&shown)
        .map(|((bytes, _), shown)| match uses.get(&**shown) {
            Some(2..) => name::of_bytes(bytes).into_owned(),
            _ => shown.clone().into_owned(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_read_as_its_database_writes_it() {
        for (encoding, bytes, text) in [
            ("UTF8", "Ünï".as_bytes(), "Ünï"),
            ("UTF8", b"\\xE9", "\\xE9"),
            ("UTF8", b"caf\xe9", "caf\\xE9"),
            ("SQL_ASCII", b"caf\xe9", "caf\\xE9"),
            ("SQL_ASCII", "Ünï".as_bytes(), "Ünï"),
            ("SQL_ASCII", b"\\xE9", "\\x5CxE9"),
            ("LATIN1", b"\xdcn\xef", "Ünï"),
            ("LATIN1", b"a\x81b", "a\\x81b"),
            ("LATIN9", b"\xa4", "€"),
            ("WIN1252", b"\x80 \x81", "€ \\x81"),
            ("WIN1251", b"\xcf\xf0\xe8", "При"),
            ("KOI8R", b"\xf0\xd2\xc9", "При"),
            ("EUC_JP", b"\xc6\xfc\xcb\xdc", "日本"),
            ("EUC_JP", b"\xc6\xfc\xcb", "\\xC6\\xFC\\xCB"),
            ("MULE_INTERNAL", b"\x81\xe9", "\\x81\\xE9"),
        ] {
            assert_eq!(Encoding::named(encoding).text(bytes), text, "{encoding}");
        }
    }

    #[test]
    fn no_two_names_of_one_encoding_are_read_alike() {
        for encoding in [
            "UTF8",
            "SQL_ASCII",
            "LATIN1",
            "LATIN2",
            "LATIN3",
            "LATIN4",
            "LATIN5",
            "LATIN6",
            "LATIN7",
            "LATIN8",
            "LATIN9",
            "LATIN10",
            "ISO_8859_5",
            "ISO_8859_6",
            "ISO_8859_7",
            "ISO_8859_8",
            "WIN1250",
            "WIN1251",
            "WIN1252",
            "WIN1253",
            "WIN1254",
            "WIN1255",
            "WIN1256",
            "WIN1257",
            "WIN1258",
            "WIN866",
            "WIN874",
            "KOI8R",
            "KOI8U",
            "EUC_JP",
            "EUC_KR",
            "EUC_CN",
        ] {
            let read = Encoding::named(encoding);
            let mut seen = HashMap::new();
            for first in 1..=u8::MAX {
                for second in 1..=u8::MAX {
                    let bytes = vec![first, second];
                    // What the server would not let in need not be told from its own escape.
                    if encoding == "UTF8" && std::str::from_utf8(&bytes).is_err() {
                        continue;
                    }
                    let text = read.text(&bytes).into_owned();
                    let other = seen.insert(text.clone(), bytes.clone());
                    assert_eq!(other, None, "{encoding}: {bytes:?} is {text:?} as well");
                }
            }
        }
    }

    #[test]
    fn shared_names_are_shown_apart() {
        let names = |names: &[(&[u8], &str)]| {
            let names: Vec<_> = names
                .iter()
                .map(|(bytes, encoding)| (bytes.to_vec(), Encoding::named(encoding)))
                .collect();
            shown_apart(&names)
        };
        assert_eq!(
            names(&[(b"\xdcn\xef", "LATIN1"), (b"a", "UTF8")]),
            ["Ünï", "a"]
        );
        assert_eq!(
            names(&[(b"\xdcn\xef", "LATIN1"), ("Ünï".as_bytes(), "LATIN1")]),
            ["\\xDCn\\xEF", "Ünï"]
        );
        assert_eq!(
            names(&[(b"\xcf\xf0\xe8", "WIN1251"), (b"\xf0\xd2\xc9", "KOI8R")]),
            ["\\xCF\\xF0\\xE8", "\\xF0\\xD2\\xC9"]
        );
    }
}
