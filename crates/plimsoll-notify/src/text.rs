//! Text for people, whatever is in the names that it holds.

use plimsoll_core::name::visible;

/// One line: what would break it or cannot be seen is written out.
pub(crate) fn line(text: &str) -> String {
    visible(text).into_owned()
}

/// Lines: what would turn or hide one of them is written out.
pub(crate) fn lines(text: &str) -> String {
    let lines: Vec<String> = text.split('\n').map(line).collect();
    lines.join("\n")
}

/// The beginning of a text, of at most so many characters.
pub(crate) fn beginning(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some(_) => {
            let mut short: String = text.chars().take(most.saturating_sub(1)).collect();
            short.push('…');
            short
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_text_breaks_a_line(text in any::<String>()) {
            let line = line(&text);
            let turns = ['\u{2028}', '\u{202e}'];
            let is_line = !line.contains(char::is_control) && !line.contains(turns);
            prop_assert!(is_line, "{:?}", line);
            // What can be seen is not changed.
            prop_assert_eq!(super::line(&line), line);
        }

        #[test]
        fn a_beginning_is_short_and_whole_characters(text in any::<String>(), most in 1_usize..40) {
            let short = beginning(&text, most);
            prop_assert!(short.chars().count() <= most);
            prop_assert!(short == text || short.ends_with('…'));
        }
    }
}
