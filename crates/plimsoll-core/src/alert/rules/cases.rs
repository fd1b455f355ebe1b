//! What the rules' tables of cases have in common.

use crate::alert::kind::Severity;
use crate::alert::reading::{Reading, Verdict};

/// A verdict in one letter: `.` clear, `-` between, `w` and `c` hold, `?` unknown.
pub(crate) fn letter(reading: &Reading) -> char {
    match reading.verdict {
        Verdict::Clear => '.',
        Verdict::Between => '-',
        Verdict::Holds(Severity::Warning) => 'w',
        Verdict::Holds(Severity::Critical) => 'c',
        Verdict::Unknown(_) => '?',
    }
}
