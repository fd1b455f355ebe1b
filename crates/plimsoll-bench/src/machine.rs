//! On what it was measured.

use anyhow::Result;

use crate::bed::Bed;

/// One paragraph: when, cores, memory, PostgreSQL, the database.
pub(crate) fn describe(bed: &Bed, rounds: u32) -> Result<String> {
    let cores = std::thread::available_parallelism()?;
    let relations = bed.ask("select count(*) from pg_class where relkind in ('r', 'i', 't')")?;
    Ok(format!(
        "Measured on {date} on {cores} cores ({model}) with {memory} of memory, PostgreSQL {version} beside it, \
         {tables} tables ({relations} relations, {size}), warm. {rounds} rounds, every way in each; a time is the \
         least of its rounds (in brackets the median), a ratio that of two least times. The load average was {load} \
         when it began.",
        date = jiff::Timestamp::now().strftime("%Y-%m-%d"),
        model = field("/proc/cpuinfo", "model name"),
        memory = field("/proc/meminfo", "MemTotal"),
        version = bed.ask("select split_part(current_setting('server_version'), ' ', 1)")?,
        tables = bed.tables,
        size = bed.ask("select pg_size_pretty(pg_database_size(current_database()))")?,
        load = std::fs::read_to_string("/proc/loadavg")
            .ok()
            .and_then(|text| Some(text.split_whitespace().next()?.to_owned()))
            .unwrap_or_else(|| "not known".to_owned()),
    ))
}

/// The first `name: value` of a file of `/proc`.
fn field(path: &str, name: &str) -> String {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines()
        .find_map(|line| line.strip_prefix(name)?.split_once(':'))
        .map_or_else(
            || "not known".to_owned(),
            |(_, value)| value.trim().to_owned(),
        )
}
