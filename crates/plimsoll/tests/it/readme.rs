//! The README's sample outputs are what the program prints, numbers aside.

use std::collections::BTreeSet;

use throwaway_postgres::Installation;

use crate::support::{Home, Ran};

/// The code block after the comment `<!-- output: NAME -->`.
fn block(name: &str) -> String {
    let readme = include_str!("../../../../README.md");
    let (_, after) = readme
        .split_once(&format!("<!-- output: {name} -->"))
        .unwrap_or_else(|| panic!("README.md has no block {name}"));
    let (_, after) = after.split_once("```").unwrap();
    let (_, body) = after.split_once('\n').unwrap();
    body.split_once("```").unwrap().0.to_owned()
}

/// A line without what differs between two runs: numbers, and the space that they take up.
///
/// Names keep their place, with N for each digit: the demo names partitions by the month.
fn shape(line: &str) -> String {
    let mut words = Vec::new();
    for word in line.split_whitespace() {
        let is_number = word.chars().any(|c| c.is_ascii_digit());
        let is_unit = ["bytes", "kB", "MB", "GB"].contains(&word);
        let is_figure = is_number && !words.is_empty() && !word.contains('_');
        if !is_unit && !is_figure {
            words.push(word);
        }
    }
    let text: String = words
        .join(" ")
        .chars()
        .map(|c| if c.is_ascii_digit() { 'N' } else { c })
        .collect();
    text
}

fn shapes(text: &str) -> BTreeSet<String> {
    text.lines()
        .map(shape)
        .filter(|line| !line.is_empty())
        .collect()
}

#[test]
fn sizes_look_as_the_readme_shows_them() {
    if Installation::find(None).is_err()
        && std::env::var_os("PLIMSOLL_REQUIRE_ALL_MAJORS").is_none()
    {
        return;
    }
    let ran = Ran::of(Home::new().plimsoll().args(["demo", "--once"]));
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(
        shapes(&block("demo --once")),
        shapes(&ran.out),
        "README.md has drifted:\n{}",
        ran.out
    );
}

#[test]
fn the_help_looks_as_the_readme_shows_it() {
    let ran = Ran::of(Home::new().plimsoll().arg("--help"));
    let commands = |text: &str| -> Vec<String> {
        text.lines()
            .skip_while(|line| *line != "Commands:")
            .skip(1)
            .take_while(|line| !line.is_empty())
            .map(str::to_owned)
            .collect()
    };
    let shown = format!("Commands:\n{}\n", block("help"));
    assert_eq!(
        commands(&shown),
        commands(&ran.out),
        "README.md has drifted"
    );
    assert!(!commands(&shown).is_empty());
}
