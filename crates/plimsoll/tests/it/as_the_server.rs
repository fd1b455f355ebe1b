//! What Plimsoll prints as PostgreSQL would is what PostgreSQL prints.

use plimsoll_core::name::quote_ident;
use plimsoll_core::size_text::pretty;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};
use throwaway_postgres::{Server, on_every_major};

/// What the server makes of many values in one statement.
fn server_says(server: &Server, expression: &str, literals: &[String]) -> Vec<String> {
    let values = literals
        .iter()
        .map(|literal| format!("({literal})"))
        .collect::<Vec<_>>()
        .join(", ");
    let sql = format!(
        "select {expression} from (values {values}) with_order(value) -- in the order of the list"
    );
    server
        .sql("postgres", &sql)
        .unwrap()
        .into_iter()
        .map(|row| row[0].clone().unwrap())
        .collect()
}

/// Draws so many values and hands them over together, so that a server is asked once.
fn drawn<S: Strategy>(strategy: &S, count: usize) -> Vec<S::Value> {
    let mut runner = TestRunner::new(Config::default());
    (0..count)
        .map(|_| strategy.new_tree(&mut runner).unwrap().current())
        .collect()
}

on_every_major! {
    fn sizes_print_as_pg_size_pretty(server: &Server) {
        // before 15 there is no PB, and nothing else differs
        let largest = if server.major() < 15 { 1_u64 << 53 } else { i64::MAX as u64 };
        // the edges of each unit, and anything between
        let mut sizes: Vec<u64> = (0..63)
            .flat_map(|shift| (-2..=2).map(move |off: i64| (1_u64 << shift).saturating_add_signed(off)))
            .chain((0..6).flat_map(|unit| {
                (-2..=2).map(move |off: i64| (10_u64 << (10 * unit)).saturating_add_signed(off))
            }))
            .chain((0..5).flat_map(|unit| {
                let half = 1_u64 << (10 * unit);
                (-2..=2).map(move |off: i64| (20_479_u64 * half / 2).saturating_add_signed(off))
            }))
            .collect();
        sizes.extend(drawn(&any::<u64>(), 500).into_iter().zip(0..).map(|(size, n)| size >> (1 + n % 60)));
        sizes.retain(|size| *size <= largest);
        let literals: Vec<_> = sizes.iter().map(|size| format!("{size}::bigint")).collect();
        let printed = server_says(server, "pg_size_pretty(value)", &literals);
        for (size, text) in sizes.into_iter().zip(printed) {
            assert_eq!(pretty(size), text, "{size}");
        }
    }
}

on_every_major! {
    fn names_are_quoted_as_quote_ident_does(server: &Server) {
        let words = server.sql("postgres", "select word from pg_get_keywords()").unwrap();
        let mut names: Vec<String> = words.into_iter().map(|row| row[0].clone().unwrap()).collect();
        names.extend(drawn(&"[a-z_][a-z0-9_]{0,20}", 200));
        names.extend(drawn(&"[^\\x00]{1,20}", 300));
        let literals: Vec<_> = names
            .iter()
            .map(|name| format!("e'{}'", name.replace('\\', "\\\\").replace('\'', "\\'")))
            .collect();
        let quoted = server_says(server, "quote_ident(value)", &literals);
        for (name, text) in names.into_iter().zip(quoted) {
            assert_eq!(quote_ident(&name, server.major()), text, "{name:?}");
        }
    }
}
