//! Each statement of the store's is held to one instance, so that Citus can route it to one shard.

use std::collections::BTreeMap;

use serde_json::Value;
use throwaway_postgres::{Server, test};

use crate::fleet::{is_distributed, lose_an_answer, moves, use_everything};
use crate::fresh::Fresh;

/// What `auto_explain` logged: each statement with its plan.
pub(crate) fn plans(log: &str) -> Vec<Value> {
    let mut plans = Vec::new();
    let mut lines = log.lines().peekable();
    while let Some(line) = lines.next() {
        if !line.trim_end().ends_with("plan:") {
            continue;
        }
        let mut json = String::new();
        while let Some(line) = lines.next_if(|line| line.starts_with('\t')) {
            json.push_str(line);
            json.push('\n');
        }
        plans.push(serde_json::from_str(&json).unwrap_or_else(|error| panic!("{error}: {json}")));
    }
    plans
}

/// The scans of distributed tables in a plan that no condition holds to one instance.
fn unrouted(node: &Value, found: &mut Vec<String>) {
    let text = |key: &str| node[key].as_str().unwrap_or_default();
    let is_scan = text("Node Type").contains("Scan");
    if is_scan && is_distributed(text("Relation Name")) {
        let conditions = ["Index Cond", "Recheck Cond", "Filter"].map(text).join(" ");
        if !conditions.contains("instance_id = ") && !conditions.contains("instance = ") {
            found.push(format!("{}: {conditions}", text("Relation Name")));
        }
    }
    for child in node["Plans"].as_array().into_iter().flatten() {
        unrouted(child, found);
    }
}

/// The distributed tables in a statement's text that no parameter holds to one instance. What joins one to
/// another does not count: Citus would ask every shard.
fn held_by_no_parameter(sql: &str) -> Vec<String> {
    let lines = sql
        .lines()
        .filter(|line| !line.trim_start().starts_with("--"));
    let text = lines.collect::<Vec<_>>().join(" ");
    let words: Vec<&str> = text
        .split(|c: char| c.is_whitespace() || "(),;".contains(c))
        .filter(|word| !word.is_empty())
        .collect();
    let mut uses: BTreeMap<String, usize> = BTreeMap::new();
    for (at, word) in words.iter().enumerate() {
        let table = word.strip_prefix("plimsoll.").unwrap_or_default();
        if !is_distributed(table) || at == 0 || !["from", "join", "update"].contains(&words[at - 1])
        {
            continue;
        }
        let key = if table == "cleanup_runs" {
            "instance"
        } else {
            "instance_id"
        };
        let column = match (words.get(at + 1), words.get(at + 2)) {
            (Some(&"as"), Some(alias)) => format!("{alias}.{key}"),
            _ => key.to_owned(),
        };
        *uses.entry(column).or_default() += 1;
    }
    let held = |column: &str| {
        let is_held =
            |words: &&[&str]| words[0] == column && words[1] == "=" && words[2].starts_with('$');
        words.windows(3).filter(is_held).count()
    };
    uses.retain(|column, count| held(column) < *count);
    uses.into_keys().collect()
}

/// Statements of the store as a whole, which ask each shard.
const OF_ALL: [&str; 1] = ["has_samples.sql"];

#[test]
fn every_statement_holds_each_of_its_tables_to_one_instance() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/postgres");
    let mut folders = vec![folder];
    let mut seen = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                folders.push(path);
            } else if name.ends_with(".sql") && !OF_ALL.contains(&&*name) {
                seen += 1;
                let loose = held_by_no_parameter(&std::fs::read_to_string(path).unwrap());
                assert!(loose.is_empty(), "{name}: {loose:?}");
            }
        }
    }
    assert!(seen > 50, "{seen}");
}

#[test]
fn a_join_holds_no_table_to_an_instance() {
    let joined = "select 1 from plimsoll.samples as s
        join plimsoll.databases as d on d.instance_id = s.instance_id where s.instance_id = $1";
    let inner = "select 1 from plimsoll.samples where instance_id = $1
        and exists (select 1 from plimsoll.events)";
    for (sql, loose) in [
        ("select 1 from plimsoll.samples where instance_id = $1", ""),
        (
            "update plimsoll.relations as r set kind = 'x' where r.instance_id = $1",
            "",
        ),
        ("select name from plimsoll.instances", ""),
        (joined, "d.instance_id"),
        (inner, "instance_id"),
        (
            "delete from plimsoll.events where relation_id = $1",
            "instance_id",
        ),
    ] {
        assert_eq!(held_by_no_parameter(sql).join(" "), loose, "{sql}");
    }
}

/// The statement files that concern one instance.
fn statement_files() -> Vec<(String, String)> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/postgres");
    let mut files = Vec::new();
    for part in ["append", "read", "reader", "thin"] {
        for entry in std::fs::read_dir(folder.join(part)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            // of the store as a whole
            if name.ends_with(".sql") && name != "size_bytes.sql" {
                files.push((name, std::fs::read_to_string(path).unwrap()));
            }
        }
    }
    files
}

const HAS_SAMPLES: &str = include_str!("../../src/postgres/partition/has_samples.sql");
const IS_EMPTY: &str = "select 1 from plimsoll.";

fn every_statement_is_held_to_one_instance(major: u32) {
    let Some(installation) = test::installed(major) else {
        return;
    };
    let options = test::options(&installation)
        .setting("session_preload_libraries", "auto_explain")
        .setting("auto_explain.log_min_duration", "0")
        .setting("auto_explain.log_format", "json");
    let server: &'static Server = Box::leak(Box::new(Server::start(&options).unwrap()));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let mut fresh = Fresh::postgres(server, "routed").await;
        use_everything(&fresh).await;
        lose_an_answer(&mut fresh, server, "routed").await;
        moves(&fresh, &Fresh::postgres(server, "routed_too").await).await;
        fresh.store.footprint().await.unwrap();
    });
    let plans = plans(&server.log());
    let asked: Vec<&str> = plans
        .iter()
        .map(|plan| plan["Query Text"].as_str().unwrap())
        .collect();
    for (name, sql) in statement_files() {
        let is_asked = asked.iter().any(|text| text.trim() == sql.trim());
        assert!(is_asked, "{name} was not run, so its plan was not seen");
    }
    for text in &asked {
        let is_of_a_week = text.trim() == HAS_SAMPLES.trim() || text.starts_with(IS_EMPTY);
        if !is_of_a_week && !text.contains("create table plimsoll.") {
            let loose = held_by_no_parameter(text);
            assert!(loose.is_empty(), "{loose:?} in {text}");
        }
    }
    let mut scans = 0;
    for plan in &plans {
        let query = plan["Query Text"].as_str().unwrap();
        // retention asks once of a whole week whether anybody still has something there
        let is_of_a_week = query.trim() == HAS_SAMPLES.trim() || query.starts_with(IS_EMPTY);
        let is_migration = query.contains("create table plimsoll.");
        if is_of_a_week || is_migration || !query.contains("plimsoll.") {
            continue;
        }
        scans += 1;
        let mut found = Vec::new();
        unrouted(&plan["Plan"], &mut found);
        assert!(found.is_empty(), "{found:?} in the plan of {query}");
    }
    assert!(scans > 50, "{scans}");
}

#[test]
fn every_statement_of_a_page_is_held_to_one_instance_pg13() {
    every_statement_is_held_to_one_instance(13);
}

#[test]
fn every_statement_of_a_page_is_held_to_one_instance_pg18() {
    every_statement_is_held_to_one_instance(18);
}
