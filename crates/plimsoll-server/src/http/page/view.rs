//! The page's HTML. Whatever comes from a server is escaped by the template: names can be hostile.

use jiff::Timestamp;
use maud::{DOCTYPE, Markup, html};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use plimsoll_core::counted::counted;
use plimsoll_core::name::shown;
use plimsoll_core::size::{SizeSource, Status};
use plimsoll_core::size_text;
use plimsoll_core::snapshot::{Method, RowCountSource, TableKind};
use plimsoll_store::DatabaseKey;

use super::{PageQuery, TABLES_A_PAGE, chart, disk};
use crate::answer::databases::{DatabaseAnswer, DatabasesAnswer};
use crate::answer::disk::DiskAnswer;
use crate::answer::history::HistoryPage;
use crate::answer::jobs::JobsAnswer;
use crate::answer::sizes::{SizesAnswer, TableAnswer};

/// What the page of one database shows.
pub(super) struct Page<'a> {
    pub(super) key: &'a DatabaseKey,
    /// The volumes of its instance.
    pub(super) disk: DiskAnswer,
    /// Whether others are watched too.
    pub(super) several: bool,
    /// None before the first visit has ended.
    pub(super) sizes: Option<SizesAnswer>,
    pub(super) largest_bytes: u64,
    /// Why the sizes are missing or old.
    pub(super) trouble: Option<String>,
    pub(super) asked: &'a PageQuery,
    pub(super) offset: usize,
    pub(super) history: HistoryPage,
    pub(super) jobs: JobsAnswer,
    pub(super) now: Timestamp,
}

/// The page of one database.
pub(super) fn database(page: &Page<'_>) -> Markup {
    let key = page.key;
    frame(
        Some(key),
        &format!("{} on {}", key.database, key.instance),
        &html! {
            @if page.several { p { a href="/" { "← all databases" } } }
            h1 { (key.database) small { " on " (key.instance) } }
            (disk::section(&page.disk))
            @if let Some(trouble) = &page.trouble {
                p.trouble role="status" { (trouble) }
            }
            @match &page.sizes {
                Some(sizes) => { (totals(page, sizes)) (past(page)) (tables(page, sizes)) }
                None => { p { "Nothing has been measured yet." } (past(page)) }
            }
            (jobs(page))
        },
    )
}

/// The list of databases, where several are watched.
pub(super) fn list(answer: &DatabasesAnswer, disks: &[DiskAnswer]) -> Markup {
    frame(
        None,
        "Databases",
        &html! {
            @for disk in disks { (disk::section(disk)) }
            h1 { "Databases" }
            @if answer.databases.is_empty() { p { "No database is known yet." } }
            div.scroll { table {
                thead { tr { th { "Database" } th { "Instance" } th.number { "Size" } th.number { "Tables" } th { "Measured" } th { "State" } } }
                tbody { @for database in &answer.databases { (list_row(database)) } }
            } }
        },
    )
}

fn list_row(database: &DatabaseAnswer) -> Markup {
    let link = address("/", &database.instance, &database.database, &[]);
    html! { tr {
        td { a href=(link) { (database.database) } }
        td { (database.instance) }
        td.number { (database.total_human.as_deref().unwrap_or("unknown")) }
        td.number { @if let Some(count) = database.tables_total { (grouped(count)) } }
        td { @if let Some(at) = database.measured_at { (time(at)) } }
        td { @match (&database.error, database.measured_at) {
            (Some(error), _) => span.trouble { (error) },
            (None, None) => "not measured yet",
            (None, Some(_)) => "ok",
        } }
    } }
}

/// A page, with links to the same as JSON: of one database, where the page is of one.
fn frame(of: Option<&DatabaseKey>, title: &str, body: &Markup) -> Markup {
    let json = |route: &str, key: &DatabaseKey| address(route, &key.instance, &key.database, &[]);
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · Plimsoll" }
                link rel="stylesheet" href="/style.css";
            }
            body {
                main { (body) }
                footer {
                    p {
                        "Plimsoll " (env!("CARGO_PKG_VERSION")) " · the same as JSON: "
                        @if let Some(key) = of {
                            a href=(json("/api/storage/sizes", key)) { "sizes" } ", "
                            a href=(json("/api/storage/history", key)) { "history" } ", "
                            a href=(format!("/api/storage/instance?instance={}", encoded(&key.instance))) { "instance" } ", "
                        }
                        a href="/api/databases" { "databases" } ", "
                        a href="/api/jobs" { "jobs" } " · "
                        a href="/api/openapi.json" { "the API's specification" }
                    }
                }
            }
        }
    }
}

fn totals(page: &Page<'_>, sizes: &SizesAnswer) -> Markup {
    let age = page.now.duration_since(sizes.measured_at).as_secs().max(0);
    let (took_ms, method) = (
        sizes.took_ms.unwrap_or(0),
        sizes.method.map_or("", Method::as_str),
    );
    let cost = sizes.cost.as_ref();
    let (statements, server_ms) = cost.map_or((0, 0), |cost| (cost.statements, cost.server_ms));
    html! {
        dl.totals {
            div { dt { "Total" } dd.total { (sizes.total_human.as_deref().unwrap_or("unknown")) } }
            div { dt { "In relations" } dd { (sizes.attributed_bytes.map_or_else(|| "unknown".to_owned(), size_text::pretty)) } }
            div title="Bytes of the database that belong to no relation" {
                dt { "In no relation" } dd { (sizes.unattributed_bytes.map_or_else(|| "unknown".to_owned(), size_text::pretty)) }
            }
            @if let Some(bytes) = sizes.unmeasured_bytes && bytes > 0 {
                div { dt { "Not measured" } dd { (size_text::pretty(bytes)) } }
            }
            @if let Some(bytes) = sizes.estimated_bytes && bytes > 0 {
                div title="Last good values and relpages, part of what is in relations" {
                    dt { "Estimated" } dd { (size_text::pretty(bytes)) }
                }
            }
            div { dt { "Measured" } dd { (time(sizes.measured_at)) small { " " (age) " s ago" } } }
            div title=(format!("{}, {} ms of the server's time", counted(statements, "statement"), server_ms)) {
                dt { "Visit" } dd { (took_ms) " ms" small { " by " (method) } }
            }
        }
    }
}

fn past(page: &Page<'_>) -> Markup {
    let headers = &page.history.headers;
    // no line leads from what another tool measured to what Plimsoll does
    let alike = page.history.of_one_measure();
    let points: Vec<_> = alike
        .iter()
        .rev()
        .filter_map(|h| Some((h.sampled_at, h.total_bytes?)))
        .collect();
    html! {
        section {
            h2 { "History" }
            @if headers.is_empty() {
                p { "No sample yet: the first one is taken on the first start, then one a day." }
            }
            @if let Some(curve) = chart::curve(&points) {
                (curve)
                p.axis { span { (chart::day(points[0].0)) " · " (size_text::pretty(points[0].1)) } span { (chart::day(points[points.len() - 1].0)) " · " (size_text::pretty(points[points.len() - 1].1)) } }
            }
            @if alike.len() < headers.len() {
                p.note { "Older samples are not drawn: another tool took them, or they cover something else." }
            }
            @if headers.iter().any(|header| header.is_demo) {
                p.note { "Samples marked “demo” are made up." }
            }
            details {
                summary { "Daily and manual samples: " (grouped(page.history.total)) "; the last of them" }
                div.scroll { table {
                    thead { tr { th { "Sampled (UTC)" } th { "Kind" } th.number { "Total" } th.number { "Tables" } } }
                    tbody { @for header in headers.iter().take(14) { tr {
                        td { (time(header.sampled_at)) }
                        td { (header.kind.as_str()) @if header.is_demo { " (demo)" } }
                        td.number { (header.total_bytes.map_or_else(|| "unknown".to_owned(), size_text::pretty)) }
                        td.number { (header.table_count.map_or_else(|| "unknown".to_owned(), grouped)) }
                    } } }
                } }
            }
        }
    }
}

fn tables(page: &Page<'_>, sizes: &SizesAnswer) -> Markup {
    let shown = sizes.tables.len();
    let sort = page.asked.sort.as_str();
    html! {
        section {
            h2 { "Tables" }
            form.filter method="get" action="/" {
                @if page.several {
                    input type="hidden" name="instance" value=(page.key.instance);
                    input type="hidden" name="database" value=(page.key.database);
                }
                label { "Search " input type="search" name="search" value=[page.asked.search.as_deref()]; }
                label { "Sort by " select name="sort" {
                    @for order in ["size", "name", "rows"] {
                        option value=(order) selected[order == sort] { (order) }
                    }
                } }
                button { "Show" }
            }
            p.legend {
                span.key.heap {} "heap " span.key.toast {} "toast " span.key.index {} "indexes"
            }
            div.scroll { table.tables {
                thead { tr {
                    th { "Table" } th.number { "Size" } th.bars { "" } th.number { "Heap" }
                    th.number { "Toast" } th.number { "Indexes" } th.number { "Rows" } th { "Status" }
                } }
                tbody { @for table in &sizes.tables { (row(page, table)) } }
            } }
            @if shown == 0 { p { "No table matches." } }
            (pages(page, sizes))
        }
    }
}

fn row(page: &Page<'_>, table: &TableAnswer) -> Markup {
    let link = format!(
        "/api/storage/tables/{}/{}?instance={}&database={}",
        encoded(&table.schema_name),
        encoded(&table.table_name),
        encoded(&page.key.instance),
        encoded(&page.key.database),
    );
    let parts = [table.heap_bytes, table.toast_bytes, table.index_bytes];
    let human = |bytes: Option<u64>| bytes.map_or_else(|| "unknown".to_owned(), size_text::pretty);
    html! { tr {
        td.name {
            @if table.schema_name != "public" { span.schema { (shown(&table.schema_name)) "." } }
            a href=(link) { (shown(&table.table_name)) }
            @if table.kind != TableKind::Table { " " span.kind { (table.kind.as_str()) } }
        }
        td.number {
            @if table.size_source == SizeSource::Measured { (human(table.size_bytes)) }
            @else { span.estimate title="not measured on this visit" { "≈ " (human(table.size_bytes)) } }
            @if table.set_tables.is_some() { div.set { (human(table.set_bytes)) " with all below" } }
        }
        td.bars { (chart::bar(parts.map(|part| part.unwrap_or(0)), page.largest_bytes)) }
        @for part in parts { td.number { (human(part)) } }
        td.number {
            @match (table.row_count, table.row_count_source) {
                (Some(count), RowCountSource::Estimate) => span title="estimated" { "≈ " (grouped(count)) },
                (Some(count), _) => (grouped(count)),
                (None, _) => "unknown",
            }
        }
        td { @match table.status { Some(Status::Ok) | None => "ok", Some(other) => span.trouble { (status(other)) } } }
    } }
}

fn status(status: Status) -> String {
    status.as_str().replace('_', " ")
}

fn pages(page: &Page<'_>, sizes: &SizesAnswer) -> Markup {
    let number = page.offset / TABLES_A_PAGE + 1;
    let last_row = page.offset + sizes.tables.len();
    let has_more = sizes
        .tables_total
        .is_some_and(|total| (last_row as u64) < total);
    let to = |number: usize| {
        let number = number.to_string();
        let mut extra = vec![("page", number.as_str())];
        extra.extend(page.asked.search.as_deref().map(|text| ("search", text)));
        extra.push(("sort", page.asked.sort.as_str()));
        address("/", &page.key.instance, &page.key.database, &extra)
    };
    html! {
        @if number > 1 || has_more {
            nav aria-label="Pages of tables" {
                @if number > 1 { a rel="prev" href=(to(number - 1)) { "← back" } }
                span { (grouped(page.offset as u64 + 1)) "–" (grouped(last_row as u64)) @if let Some(total) = sizes.tables_total { " of " (grouped(total)) } }
                @if has_more { a rel="next" href=(to(number + 1)) { "more →" } }
            }
        }
    }
}

fn jobs(page: &Page<'_>) -> Markup {
    html! {
        section {
            h2 { "Jobs" }
            div.scroll { table {
                thead { tr { th { "Job" } th { "Schedule (UTC)" } th { "Next" } th { "Last" } th { "Outcome" } } }
                tbody { @for job in &page.jobs.jobs { tr {
                    td title=(job.description) { (job.name) }
                    td { code { (job.schedule) } }
                    td { @if let Some(at) = job.next_run_at { (time(at)) } }
                    td { @match job.last_started_at { Some(at) => (time(at)), None => "never" } }
                    td {
                        @if job.is_running { "running" }
                        @if let Some(outcome) = &job.last_outcome { (outcome) }
                        @if let Some(message) = &job.last_message { div.note { (message) } }
                    }
                } } }
            } }
        }
    }
}

fn time(at: Timestamp) -> Markup {
    html! { time datetime=(at.to_string()) { (at.strftime("%Y-%m-%d %H:%M")) } }
}

fn address(path: &str, instance: &str, database: &str, extra: &[(&str, &str)]) -> String {
    let mut text = format!(
        "{path}?instance={}&database={}",
        encoded(instance),
        encoded(database)
    );
    for (name, value) in extra {
        text.push_str(&format!("&{name}={}", encoded(value)));
    }
    text
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// Digits in groups of three, with a thin space that does not break.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 2);
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}
