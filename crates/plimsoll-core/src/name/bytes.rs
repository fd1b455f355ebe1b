//! Names that are no text: bytes that their encoding has no character for are written `\xE9`.
//!
//! PostgreSQL keeps the names of databases, roles and tablespaces as the bytes that came, whatever the
//! encoding of the database that they came from; in a database without an encoding so are all names. Two
//! different names never become one: what looks like such an escape is escaped itself (`\x5CxE9`).

use std::borrow::Cow;
use std::fmt::Write as _;

/// A name of unknown encoding as text: UTF-8 where it is that, any other byte as `\xE9`.
pub fn of_bytes(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => escaped(Cow::Borrowed(text)),
        Err(_) => bytes
            .utf8_chunks()
            .fold(String::new(), |mut text, chunk| {
                text.push_str(&escaped(Cow::Borrowed(chunk.valid())));
                for byte in chunk.invalid() {
                    push_byte(&mut text, *byte);
                }
                text
            })
            .into(),
    }
}

/// The bytes of a name that [`of_bytes`] wrote.
pub fn bytes_of(name: &str) -> Cow<'_, [u8]> {
    if next_escape(name).is_none() {
        return Cow::Borrowed(name.as_bytes());
    }
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name;
    while let Some((at, byte)) = next_escape(rest) {
        bytes.extend_from_slice(&rest.as_bytes()[..at]);
        bytes.push(byte);
        rest = &rest[at + 4..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    bytes.into()
}

/// Text in which nothing looks like a byte that [`of_bytes`] wrote.
pub fn escaped(text: Cow<'_, str>) -> Cow<'_, str> {
    if next_escape(&text).is_none() {
        return text;
    }
    let mut out = String::with_capacity(text.len() + 3);
    let mut rest = &*text;
    while let Some((at, _)) = next_escape(rest) {
        out.push_str(&rest[..at]);
        push_byte(&mut out, b'\\');
        rest = &rest[at + 1..];
    }
    out.push_str(rest);
    out.into()
}

/// Where the next `\xE9` is, and which byte it means.
fn next_escape(text: &str) -> Option<(usize, u8)> {
    text.match_indices("\\x").find_map(|(at, _)| {
        let digits = text.get(at + 2..at + 4)?;
        let is_escape = digits
            .bytes()
            .all(|digit| matches!(digit, b'0'..=b'9' | b'A'..=b'F'));
        let byte = u8::from_str_radix(digits, 16).ok()?;
        is_escape.then_some((at, byte))
    })
}

fn push_byte(text: &mut String, byte: u8) {
    // Writing to a string cannot fail.
    let _ = write!(text, "\\x{byte:02X}");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn bytes_without_a_character_are_written_out() {
        for (bytes, text) in [
            (&b"orders"[..], "orders"),
            ("Ünï".as_bytes(), "Ünï"),
            (b"caf\xe9", "caf\\xE9"),
            (b"\xdcn\xef", "\\xDCn\\xEF"),
            (b"back\\slash", "back\\slash"),
            // what is only written like a byte
            (b"caf\\xE9", "caf\\x5CxE9"),
            (b"caf\\xe9", "caf\\xe9"),
            (b"\\x5CxE9", "\\x5Cx5CxE9"),
        ] {
            assert_eq!(of_bytes(bytes), text);
            assert_eq!(bytes_of(text), bytes, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_two_names_are_written_alike(bytes in proptest::collection::vec(
            prop_oneof![any::<u8>(), Just(b'\\'), Just(b'x'), Just(b'5'), Just(b'C')], 0..40
        )) {
            let text = of_bytes(&bytes).into_owned();
            prop_assert_eq!(&*bytes_of(&text), &*bytes);
        }
    }
}
