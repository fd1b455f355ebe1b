//! Passwords stay out of what is printed: texts that may repeat what a user typed are masked.

use std::borrow::Cow;

use clap::ArgMatches;
use clap::parser::ValueSource;
use secrecy::{ExposeSecret as _, SecretString};

/// What stands in a password's place.
const MASK: &str = "***";

/// A text with every password masked that it shows in a URL (`//user:password@`, `user:password@`) or as
/// `password=...`.
///
/// This is the last guard, for texts of the operating system, of libraries, and of the command line's parser.
/// Our own errors do not repeat what may hold a password.
pub(crate) fn masked(text: &str) -> Cow<'_, str> {
    if !text.contains('@') && !text.to_ascii_lowercase().contains("password") {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    for word in text.split_inclusive(char::is_whitespace) {
        out.push_str(&without_assignment(&without_user_info(word)));
    }
    Cow::Owned(out)
}

/// `//user:password@` and `user:password@` as `user:***@`, up to the last `@`: a password may hold one.
fn without_user_info(word: &str) -> Cow<'_, str> {
    let Some(end) = word.rfind('@') else {
        return Cow::Borrowed(word);
    };
    let begin = word.find("://").map_or(0, |at| at + "://".len());
    let Some(colon) = word.get(begin..end).and_then(|part| part.find(':')) else {
        return Cow::Borrowed(word);
    };
    Cow::Owned(format!("{}:{MASK}{}", &word[..begin + colon], &word[end..]))
}

/// `password=...` as `password=***`, up to the `&` or the quote that ends it.
fn without_assignment(word: &str) -> Cow<'_, str> {
    let Some(at) = word.to_ascii_lowercase().find("password=") else {
        return Cow::Borrowed(word);
    };
    let (before, value) = word.split_at(at + "password=".len());
    let end = value
        .char_indices()
        .skip(1)
        .find(|(_, char)| matches!(char, '&' | '\'' | '"' | '`') || char.is_whitespace())
        .map_or(value.len(), |(at, _)| at);
    Cow::Owned(format!(
        "{before}{MASK}{}",
        without_assignment(&value[end..])
    ))
}

/// Options whose values may hold a password, and how else they can be given.
const SECRET_OPTIONS: [(&str, &str, &str); 2] = [
    (
        "database_url",
        "--database-url",
        "DATABASE_URL, or `url_file` in plimsoll.toml",
    ),
    (
        "store",
        "--store",
        "PLIMSOLL_STORE, or `url` of [store] in plimsoll.toml",
    ),
];

/// What to say about passwords that were typed on the command line, where the list of processes shows them to
/// every user of the machine.
pub(crate) fn typed(matches: &ArgMatches) -> Vec<String> {
    let mut warnings = Vec::new();
    for (id, option, instead) in SECRET_OPTIONS {
        if matches.value_source(id) == Some(ValueSource::CommandLine)
            && matches
                .get_one::<SecretString>(id)
                .is_some_and(|value| has_password(value.expose_secret()))
        {
            warnings.push(format!(
                "every user of this machine can read the password in {option} in the list of processes; use {instead}"
            ));
        }
    }
    warnings
}

/// Whether a URL or a connection string holds a password.
pub(crate) fn has_password(text: &str) -> bool {
    masked(text) != text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_masked_and_the_rest_is_left() {
        for (text, expect) in [
            ("no secret at all", "no secret at all"),
            ("postgres://u@h/d", "postgres://u@h/d"),
            ("a:b", "a:b"),
            ("postgres://u:hush@h:5432/d", "postgres://u:***@h:5432/d"),
            (
                "reading postgresq://u:hu@sh@h: gone",
                "reading postgresq://u:***@h: gone",
            ),
            ("'u:hush@h'", "'u:***@h'"),
            ("postgres://:hush@h", "postgres://:***@h"),
            (
                "host=h password=hush dbname=d",
                "host=h password=*** dbname=d",
            ),
            (
                "postgres://h/d?password=hush&user=u",
                "postgres://h/d?password=***&user=u",
            ),
            ("PASSWORD='hush'", "PASSWORD=***'"),
            (
                "postgres://u:hush@h/?sslpassword=hush",
                "postgres://u:***@h/?sslpassword=***",
            ),
            ("asked for a password", "asked for a password"),
        ] {
            assert_eq!(masked(text), expect);
            assert_eq!(has_password(text), text != expect, "{text}");
        }
    }
}
