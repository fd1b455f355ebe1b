//! Logs on standard error: a line for people on a terminal, an object a line otherwise.

use std::io::{self, IsTerminal};

use plimsoll_core::name::visible;
use tracing::field::Field;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt as _;
use tracing_subscriber::fmt::format::{FmtSpan, Writer, debug_fn};
use tracing_subscriber::fmt::time::SystemTime;

use crate::args::LogFormat;

/// Starts logging. `PLIMSOLL_LOG` takes a filter such as `info,plimsoll_postgres=debug` and wins
/// over `-v`.
pub(crate) fn start(format: Option<LogFormat>, verbose: u8, is_service: bool) {
    let level = match verbose + u8::from(is_service) {
        0 => "warn",
        1 => "info",
        2 => "debug",
        _ => "trace",
    };
    // What libraries log below a warning is theirs, unless it is asked for by name.
    let default = format!(
        "warn,plimsoll={level},plimsoll_server={level},plimsoll_store={level},plimsoll_postgres={level},plimsoll_connect={level}"
    );
    let filter = std::env::var("PLIMSOLL_LOG")
        .ok()
        .and_then(|text| EnvFilter::try_new(text).ok())
        .unwrap_or_else(|| EnvFilter::new(default));
    let is_terminal = io::stderr().is_terminal();
    let format = format.unwrap_or(if is_terminal {
        LogFormat::Text
    } else {
        LogFormat::Json
    });
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_timer(SystemTime)
        .with_span_events(FmtSpan::NONE)
        .with_ansi(is_terminal)
        .with_target(false);
    match format {
        LogFormat::Text => builder.fmt_fields(debug_fn(field).delimited(" ")).init(),
        LogFormat::Json => builder
            .json()
            .flatten_event(true)
            .with_span_list(false)
            .init(),
    }
}

/// A field of an event as text. What a name, a URL or a server's message holds stays in its line.
fn field(writer: &mut Writer<'_>, field: &Field, value: &dyn std::fmt::Debug) -> std::fmt::Result {
    let text = format!("{value:?}");
    if field.name() == "message" {
        write!(writer, "{}", visible(&text))
    } else {
        write!(writer, "{field}={}", visible(&text))
    }
}
