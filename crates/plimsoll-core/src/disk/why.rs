//! Which parts account for what a volume gained or lost, largest first. The changes add up to that of the used bytes.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::part::{Kind, Part};

/// One part's share of the change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// The part.
    pub part: Kind,
    /// Which of its kind.
    pub name: Option<String>,
    /// What it gained; 0 where only the sight of it changed.
    pub change_bytes: i64,
    /// Since when.
    #[serde(serialize_with = "crate::time::serialize")]
    pub since: Timestamp,
    /// What is known about it: who holds it, which tables grew; or that the sight of it changed.
    pub text: String,
}

/// What is known about one part, to be told with its change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The part,
    pub part: Kind,
    /// and which of its kind; none stands for all.
    pub name: Option<String>,
    /// What to tell.
    pub text: String,
}

/// What each part gained between two looks at a volume; parts that gained nothing are left out.
///
/// A part that one of the looks did not see, or only partly, has no change: that is a change of coverage, and what it
/// moved between seen and unseen is taken out of `unexplained` too. A database that was not there had no bytes.
///
/// What another instance or Plimsoll has is elsewhere as long as nobody watches it: that it is named is coverage.
pub fn why(before: &[Part], after: &[Part], since: Timestamp, notes: &[Note]) -> Vec<Cause> {
    let mut causes = Vec::new();
    for (parts, other, text) in [
        (
            after,
            before,
            "named only now: a change of coverage, not growth",
        ),
        (
            before,
            after,
            "not named any more: a change of coverage, not growth",
        ),
    ] {
        causes.extend(named_in(parts, other).map(|part| Cause {
            part: part.part,
            name: part.name.clone(),
            change_bytes: 0,
            since,
            text: text.to_owned(),
        }));
    }
    let (before, after) = (&*as_elsewhere(before, after), &*as_elsewhere(after, before));
    let mut explained = 0;
    for key in keys(before, after) {
        let (earlier, later) = (find(before, key), find(after, key));
        let change = match (earlier, later) {
            (Some(a), Some(b)) if a.at_least.is_some() == b.at_least.is_some() => {
                a.bytes.zip(b.bytes).map(|(a, b)| b - a)
            }
            (Some(_), Some(_)) => None,
            // One look knows nothing of it: it came or went, if that look saw all of its kind.
            (Some(a), None) if sees_all(after, before, a) => a.bytes.map(|bytes| -bytes),
            (None, Some(b)) if sees_all(before, after, b) => b.bytes,
            (Some(_), None) | (None, Some(_)) => None,
            (None, None) => None,
        };
        let cause = |change_bytes, text| Cause {
            part: key.0,
            name: key.1.map(str::to_owned),
            change_bytes,
            since,
            text,
        };
        let was_seen = earlier.is_some_and(|part| part.bytes.is_some());
        let is_seen = later.is_some_and(|part| part.bytes.is_some());
        match change {
            Some(0) => {}
            Some(change) => {
                explained += change;
                causes.push(cause(change, note(notes, key)));
            }
            None if was_seen || is_seen => causes.push(cause(0, coverage(was_seen, is_seen))),
            None => {}
        }
    }
    causes.extend(rests(before, after, since, explained));
    let total: i64 = causes.iter().map(|cause| cause.change_bytes).sum();
    let along = if total < 0 { -1 } else { 1 };
    causes.sort_by_key(|cause| (-along * cause.change_bytes, cause.part, cause.name.clone()));
    causes
}

/// The parts of others that only these parts name.
fn named_in<'a>(parts: &'a [Part], other: &'a [Part]) -> impl Iterator<Item = &'a Part> {
    let is_new = |part: &&Part| other.iter().all(|it| it.key() != part.key());
    parts
        .iter()
        .filter(|part| part.part.is_others())
        .filter(is_new)
}

/// The same with what only they name taken for elsewhere, or where that is not known for unexplained.
fn as_elsewhere(parts: &[Part], other: &[Part]) -> Vec<Part> {
    let named: Vec<_> = named_in(parts, other).map(Part::key).collect();
    let bytes: i64 = named_in(parts, other).filter_map(|part| part.bytes).sum();
    let mut all = parts.to_vec();
    all.retain(|part| !named.contains(&part.key()));
    let rest = [Kind::Elsewhere, Kind::Unexplained]
        .into_iter()
        .find_map(|kind| {
            all.iter()
                .position(|it| it.part == kind && it.bytes.is_some())
        });
    if let Some(rest) = rest {
        all[rest].bytes = all[rest].bytes.map(|own| own + bytes);
    }
    all
}

/// What no measured part accounts for.
fn rests(before: &[Part], after: &[Part], since: Timestamp, explained: i64) -> Vec<Cause> {
    let (Some(used_before), Some(used_after)) = (used(before), used(after)) else {
        return Vec::new();
    };
    let mut left = used_after - used_before - explained;
    let mut causes = Vec::new();
    let rest = |parts: &[Part], kind| {
        parts
            .iter()
            .find(|part| part.part == kind)
            .and_then(|part| part.bytes)
    };
    let coverage_is_same =
        keys(before, after)
            .into_iter()
            .all(|key| match (find(before, key), find(after, key)) {
                (Some(a), Some(b)) => a.is_whole() == b.is_whole(),
                (Some(a), None) => sees_all(after, before, a),
                (None, Some(b)) => sees_all(before, after, b),
                (None, None) => true,
            });
    let shrunk: i64 = changes(before, after, Kind::Database).min(0);
    for kind in [Kind::Elsewhere, Kind::FileSystem] {
        if let (Some(a), Some(b), true) = (rest(before, kind), rest(after, kind), coverage_is_same)
            && a != b
        {
            left -= b - a;
            let text = if kind == Kind::Elsewhere && b > a && shrunk < 0 {
                "databases shrank meanwhile: perhaps files that are deleted and still open (ls -l /proc/*/fd | grep deleted)"
            } else if kind == Kind::Elsewhere {
                "not PostgreSQL's"
            } else {
                "compression, holes and shared blocks"
            };
            causes.push(Cause {
                part: kind,
                name: None,
                change_bytes: b - a,
                since,
                text: text.to_owned(),
            });
        }
    }
    if left != 0 {
        let text = if coverage_is_same {
            unexplained(after)
        } else {
            "what can be seen has changed, too".to_owned()
        };
        causes.push(Cause {
            part: Kind::Unexplained,
            name: None,
            change_bytes: left,
            since,
            text,
        });
    }
    causes
}

/// What is told of a change that no part has: not each look measures databases, and they may have it.
fn unexplained(after: &[Part]) -> String {
    let newest = after.iter().filter_map(|part| part.measured_at).max();
    let databases = after
        .iter()
        .filter(|part| part.part == Kind::Database)
        .filter_map(|part| part.measured_at)
        .max();
    match databases {
        Some(at) if Some(at) < newest => {
            format!(
                "perhaps the databases', which were last measured at {at:.0}; no other part has it"
            )
        }
        _ => "no part explains it".to_owned(),
    }
}

/// Whether a look that lacks a named part of the other look would have had it: it saw all of that kind, and in the same
/// way (tablespaces in place of databases are another).
fn sees_all(lacks: &[Part], has: &[Part], part: &Part) -> bool {
    let of_kind = |parts: &[Part]| {
        parts
            .iter()
            .filter(|other| other.part == part.part)
            .cloned()
            .collect::<Vec<_>>()
    };
    let (lacks, has) = (of_kind(lacks), of_kind(has));
    let source = |parts: &[Part]| parts.iter().find_map(|part| part.source);
    let hides_some = lacks
        .iter()
        .any(|other| other.name.is_none() && other.bytes.is_none());
    part.name.is_some() && !hides_some && (lacks.is_empty() || source(&lacks) == source(&has))
}

fn find<'a>(parts: &'a [Part], key: (Kind, Option<&str>)) -> Option<&'a Part> {
    parts.iter().find(|part| part.key() == key)
}

fn coverage(was_seen: bool, is_seen: bool) -> String {
    match (was_seen, is_seen) {
        (false, true) => "seen only now: a change of coverage, not growth",
        (true, false) => "not seen any more: a change of coverage, not growth",
        _ => "seen in another way now: a change of coverage, not growth",
    }
    .to_owned()
}

/// The used bytes, if they are known: then the parts add up to them.
fn used(parts: &[Part]) -> Option<i64> {
    let unexplained = parts.iter().find(|part| part.part == Kind::Unexplained)?;
    unexplained.bytes.map(|_| super::volume::known_bytes(parts))
}

fn changes(before: &[Part], after: &[Part], kind: Kind) -> i64 {
    let sum = |parts: &[Part]| -> i64 {
        parts
            .iter()
            .filter(|part| part.part == kind)
            .filter_map(|part| part.bytes)
            .sum()
    };
    sum(after) - sum(before)
}

/// The keys of all measured parts of either look, each once.
fn keys<'a>(before: &'a [Part], after: &'a [Part]) -> Vec<(Kind, Option<&'a str>)> {
    let mut keys: Vec<_> = before
        .iter()
        .chain(after)
        .filter(|part| !part.part.is_rest())
        .map(Part::key)
        .collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}

fn note(notes: &[Note], (part, name): (Kind, Option<&str>)) -> String {
    let texts = notes.iter().filter(|note| {
        note.part == part && note.name.as_deref().is_none_or(|own| Some(own) == name)
    });
    texts
        .map(|note| note.text.as_str())
        .collect::<Vec<_>>()
        .join("; ")
}

#[cfg(test)]
mod tests;
