//! How volumes and their parts went, a line for each kept look.

use std::io::{self, Write};

use jiff::Timestamp;
use plimsoll_core::disk::memory::label;
use plimsoll_core::name::visible;
use plimsoll_core::size_text::{pretty, pretty_signed};
use plimsoll_server::answer::disk::{DiskAnswer, VolumeSeries};

use crate::output::{Column, table};

/// So many parts are shown, those that changed most.
const PARTS: usize = 3;

/// The series of each volume, newest last.
pub(crate) fn print(out: &mut dyn Write, answer: &DiskAnswer) -> io::Result<()> {
    for volume in &answer.volumes {
        let name = volume.name.as_deref().unwrap_or(&volume.pool);
        let name = visible(name);
        match volume.series.as_ref().filter(|series| !series.t.is_empty()) {
            Some(series) => {
                writeln!(out, "\n{name} over time")?;
                rows(out, series)?;
            }
            None => writeln!(
                out,
                "\nNothing is kept of how {name} went at this step yet."
            )?,
        }
    }
    Ok(())
}

fn rows(out: &mut dyn Write, series: &VolumeSeries) -> io::Result<()> {
    let changed = |bytes: &[Option<i64>]| {
        let (first, last) = (bytes.iter().flatten().next(), bytes.iter().flatten().last());
        first
            .zip(last)
            .map_or(0, |(first, last)| last.abs_diff(*first))
    };
    let mut parts: Vec<_> = series.parts.iter().collect();
    parts.sort_by_key(|part| std::cmp::Reverse(changed(&part.bytes)));
    parts.truncate(PARTS);
    let mut before = None;
    table(
        out,
        &[
            Column::Left("WHEN (UTC)"),
            Column::Right("USED"),
            Column::Right("CHANGE"),
            Column::Left("WHAT CHANGED MOST"),
        ],
        (0..series.t.len()).map(|at| {
            let used = series.used[at];
            let change = used
                .zip(before)
                .map_or_else(String::new, |(now, before): (u64, u64)| {
                    pretty_signed(i64::try_from(i128::from(now) - i128::from(before)).unwrap_or(0))
                });
            before = used.or(before);
            let unknown = || "unknown".to_owned();
            let held: Vec<String> = parts
                .iter()
                .map(|part| {
                    let bytes = part.bytes[at].map_or_else(unknown, |bytes| {
                        u64::try_from(bytes).map_or_else(|_| pretty_signed(bytes), pretty)
                    });
                    format!("{} {bytes}", label(part.part, part.name.as_deref()))
                })
                .collect();
            vec![
                when(series.t[at]),
                used.map_or_else(unknown, pretty),
                change,
                held.join(", "),
            ]
        }),
    )
}

fn when(second: i64) -> String {
    let at = Timestamp::from_second(second).unwrap_or(Timestamp::UNIX_EPOCH);
    at.strftime("%Y-%m-%d %H:%M").to_string()
}
