//! Reads `date,bytes`, the form of all series in `bench/growth`.

use std::error::Error;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use plimsoll_core::forecast::Point;

/// The samples of a CSV with a header; a bare date is its midnight, UTC.
pub(crate) fn points(text: &str) -> Result<Vec<Point>, Box<dyn Error>> {
    let mut points = Vec::new();
    for line in text.lines().skip(1) {
        let (at, bytes) = line.split_once(',').ok_or("a line without a comma")?;
        let at = match at.parse::<Timestamp>() {
            Ok(at) => at,
            Err(_) => at.parse::<Date>()?.to_zoned(TimeZone::UTC)?.timestamp(),
        };
        points.push(Point {
            at,
            bytes: bytes.trim().parse()?,
        });
    }
    Ok(points)
}
