//! Both clocks on an axis of time: from when to when the volume may be full, and when most likely.

use std::io;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use plimsoll_core::disk::state::{Dates, Volume};

use super::BAR;
use super::lines::Lines;

/// The width of what stands before the axis.
const LABEL: usize = 10;
/// A mark on the axis with its label takes so many cells at least.
const MARK: i64 = 9;

const MINUTE: i64 = 60;
const HOUR: i64 = 3600;
const DAY: i64 = 86_400;

/// How far apart marks may be, and how they are labelled.
const UNITS: [(i64, &str); 15] = [
    (5 * MINUTE, "%H:%M"),
    (15 * MINUTE, "%H:%M"),
    (30 * MINUTE, "%H:%M"),
    (HOUR, "%H:%M"),
    (3 * HOUR, "%H:%M"),
    (6 * HOUR, "%a %H:%M"),
    (12 * HOUR, "%a %H:%M"),
    (DAY, "%a %-d"),
    (2 * DAY, "%a %-d"),
    (7 * DAY, "%-d %b"),
    (14 * DAY, "%-d %b"),
    (30 * DAY, "%-d %b"),
    (60 * DAY, "%-d %b"),
    (120 * DAY, "%-d %b"),
    (190 * DAY, "%-d %b"),
];

/// The axis, where either clock has a date.
pub(super) fn clocks(lines: &mut Lines<'_>, volume: &Volume) -> io::Result<()> {
    let clocks = [
        ("at pace", volume.full.at_pace),
        ("forecast", volume.full.forecast),
    ];
    let dates = clocks.iter().filter_map(|(_, dates)| *dates);
    let ends = dates.flat_map(|dates| [dates.low, dates.mid, dates.high]);
    let Some(last) = ends.flatten().max() else {
        return Ok(());
    };
    let cells = lines.width.unwrap_or(BAR).min(BAR).saturating_sub(LABEL);
    let Some(axis) = Axis::new(lines.now, last, cells) else {
        return Ok(());
    };
    writeln!(lines.out, "{:LABEL$}{}", "Full", axis.marks())?;
    for (name, dates) in clocks {
        let Some(dates) = dates else { continue };
        let row = format!("{name:LABEL$}{}", axis.row(dates));
        writeln!(lines.out, "{}", row.trim_end())?;
    }
    lines.blank()
}

/// Cells of time.
struct Axis {
    /// Where it begins, in seconds.
    begin: i64,
    /// Seconds between two marks,
    unit: i64,
    /// cells between them,
    apart: i64,
    /// and how many there are.
    marks: i64,
    format: &'static str,
}

impl Axis {
    /// Where marks are as close as their labels allow; none where there is no room for two.
    fn new(now: Timestamp, last: Timestamp, cells: usize) -> Option<Self> {
        let cells = i64::try_from(cells).ok()?;
        let most = cells / MARK;
        if most < 2 {
            return None;
        }
        let (now, last) = (now.as_second(), last.as_second());
        let axis = |(unit, format): (i64, &'static str)| {
            let begin = now - now.rem_euclid(unit);
            let marks = (last - begin) / unit + 1;
            Self {
                begin,
                unit,
                apart: cells / marks,
                marks,
                format,
            }
        };
        UNITS.into_iter().map(axis).find(|axis| axis.marks <= most)
    }

    fn marks(&self) -> String {
        let mut text = String::new();
        for mark in 0..self.marks {
            let at = Timestamp::from_second(self.begin + mark * self.unit).unwrap_or_default();
            let label = at.to_zoned(TimeZone::UTC).strftime(self.format).to_string();
            let width = usize::try_from(self.apart).unwrap_or(0);
            let mark = format!("│{}", label.trim_start());
            text.push_str(&format!("{mark:width$}"));
        }
        text.trim_end().to_owned()
    }

    fn cell(&self, at: Timestamp) -> i64 {
        (at.as_second() - self.begin) * self.apart / self.unit
    }

    /// A line from the earliest to the latest date with a point at the most likely one; what is not within a year goes on
    /// beyond the end.
    fn row(&self, dates: Dates) -> String {
        let Some(low) = dates.low.or(dates.mid) else {
            return "not within a year".to_owned();
        };
        let cells = self.marks * self.apart;
        let (low, mid) = (self.cell(low), dates.mid.map(|mid| self.cell(mid)));
        let high = dates.high.map(|high| self.cell(high));
        let cell = |at: i64| match at {
            _ if Some(at) == mid => '●',
            _ if at < low || high.is_some_and(|high| at > high) => ' ',
            _ if high.is_none() && at == cells - 1 => '→',
            _ => '━',
        };
        (0..cells).map(cell).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn dates_stand_where_they_are_and_what_has_no_end_goes_on() {
        let now = at("2026-11-27T07:50:00Z");
        let dates = |low: &str, mid: &str, high: &str| {
            let date = |text: &str| (!text.is_empty()).then(|| at(text));
            Dates {
                low: date(low),
                mid: date(mid),
                high: date(high),
            }
        };
        let week = Axis::new(now, at("2026-12-03T06:00:00Z"), 63).unwrap();
        assert_eq!(
            week.marks(),
            "│Fri 27  │Sat 28  │Sun 29  │Mon 30  │Tue 1   │Wed 2   │Thu 3"
        );
        let row = week.row(dates(
            "2026-12-01T23:00:00Z",
            "2026-12-02T14:00:00Z",
            "2026-12-03T06:00:00Z",
        ));
        let place = |mark| row.chars().position(|cell| cell == mark);
        assert_eq!(
            (place('━'), place('●'), row.chars().count()),
            (Some(44), Some(50), 63)
        );
        assert_eq!(row.trim_end().chars().count(), 57);
        let open = week.row(dates("2026-12-01T23:00:00Z", "", ""));
        assert!(open.ends_with('→') && !open.contains('●'), "{open}");
        assert_eq!(week.row(dates("", "", "")), "not within a year");
        // From minutes to a year there is a distance of marks that fits, in any width with room for two.
        for seconds in [60, 3600, 7200, 86_400, 10 * DAY, 100 * DAY, 366 * DAY] {
            let last = Timestamp::from_second(now.as_second() + seconds).unwrap();
            for cells in [30, 50, 90] {
                let axis = Axis::new(now, last, cells);
                let axis = axis.unwrap_or_else(|| panic!("{seconds} s in {cells} cells"));
                assert!(axis.marks().chars().count() <= cells + 9);
                assert!(usize::try_from(axis.cell(last)).unwrap() < cells);
            }
        }
        assert!(Axis::new(now, now, 17).is_none());
    }
}
