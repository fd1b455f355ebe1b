//! Why files of a database's folder belong to no relation.

use foldhash::{HashMap, HashMapExt};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

use plimsoll_core::Oid;
use plimsoll_core::snapshot::{Unattributed, UnattributedCause, UnattributedFile};

use super::file_name::FileName;
use crate::catalog::{FileKey, PERMANENT};
use crate::transactions::Transactions;

/// The files of what may be a relation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Stray {
    pub bytes: u64,
    pub files: u64,
}

impl Stray {
    pub(super) fn add(&mut self, bytes: u64) {
        self.bytes += bytes;
        self.files += 1;
    }
}

/// So many files a cause names: all that anybody would look after.
const NAMED: usize = 1000;

/// Files without an owner that earlier visits saw, each with the first transaction that began after
/// it was first seen.
#[derive(Debug, Default)]
pub(crate) struct Unowned(HashMap<FileKey, i64>);

impl Unowned {
    /// Sorts `strays` and the server's own files by cause, and remembers the strays for next time.
    ///
    /// A file whose creator has not committed belongs to nobody we can see. It is orphaned once every
    /// transaction that was running when it was first seen has ended and it is still there. Without
    /// bytes it is no orphan: a dropped relation keeps an empty file until the next checkpoint.
    ///
    /// `transactions` are those from after the strays were seen.
    pub(crate) fn explain<'a>(
        &mut self,
        strays: &HashMap<FileKey, Stray>,
        server_files: &[(Oid, String, u64)],
        transactions: &Transactions,
        directory: impl Fn(Oid) -> &'a str,
    ) -> Vec<Unattributed> {
        let mut causes = Causes::default();
        for (tablespace, name, bytes) in server_files {
            let path = || format!("{}/{name}", directory(*tablespace));
            causes.add(UnattributedCause::ServerFiles, *bytes, 1, path);
        }
        let mut seen = HashMap::with_capacity(strays.len());
        for (key, stray) in strays {
            let first_after = self.0.get(key).copied().unwrap_or(transactions.next);
            seen.insert(*key, first_after);
            let cause = if key.backend != PERMANENT {
                UnattributedCause::Temporary
            } else if stray.bytes > 0
                && self.0.contains_key(key)
                && transactions.oldest >= first_after
            {
                UnattributedCause::Orphaned
            } else {
                UnattributedCause::Uncommitted
            };
            let path = || format!("{}/{}", directory(key.tablespace), FileName::stem(key));
            causes.add(cause, stray.bytes, stray.files, path);
        }
        self.0 = seen;
        causes.0.retain(|cause| cause.found.files > 0);
        causes.0.into_iter().map(Cause::finish).collect()
    }
}

#[derive(Default)]
struct Causes(Vec<Cause>);

struct Cause {
    found: Unattributed,
    /// The smallest on top.
    largest: BinaryHeap<Reverse<(u64, Reverse<String>)>>,
}

impl Causes {
    fn add(&mut self, cause: UnattributedCause, bytes: u64, files: u64, path: impl Fn() -> String) {
        let at = self.0.iter().position(|known| known.found.cause == cause);
        let at = at.unwrap_or_else(|| {
            self.0.push(Cause {
                found: Unattributed {
                    cause,
                    bytes: 0,
                    files: 0,
                    largest: Vec::new(),
                },
                largest: BinaryHeap::new(),
            });
            self.0.len() - 1
        });
        let known = &mut self.0[at];
        known.found.bytes += bytes;
        known.found.files += files;
        let is_full = known.largest.len() >= NAMED;
        let smallest = known.largest.peek().map(|Reverse((bytes, _))| *bytes);
        if is_full && smallest >= Some(bytes) {
            return;
        }
        if is_full {
            known.largest.pop();
        }
        known.largest.push(Reverse((bytes, Reverse(path()))));
    }
}

impl Cause {
    fn finish(mut self) -> Unattributed {
        // Of what is turned round the smallest is the largest file.
        let sorted = self.largest.into_sorted_vec().into_iter();
        let file = |Reverse((bytes, Reverse(path)))| UnattributedFile { path, bytes };
        self.found.largest = sorted.map(file).collect();
        self.found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stray(bytes: u64) -> Stray {
        Stray { bytes, files: 1 }
    }

    fn key(filenode: Oid) -> FileKey {
        FileKey {
            tablespace: 1663,
            backend: PERMANENT,
            filenode,
        }
    }

    fn causes(
        unowned: &mut Unowned,
        files: &[(FileKey, Stray)],
        (oldest, next): (i64, i64),
    ) -> Vec<(UnattributedCause, u64)> {
        let transactions = Transactions {
            snapshot: String::new(),
            oldest,
            next,
        };
        let strays = files.iter().copied().collect();
        let found = unowned.explain(&strays, &[], &transactions, |_| "base/5");
        let mut found: Vec<_> = found.iter().map(|u| (u.cause, u.bytes)).collect();
        found.sort_by_key(|(_, bytes)| *bytes);
        found
    }

    #[test]
    fn a_file_is_an_orphan_once_everything_that_ran_beside_it_has_ended() {
        use UnattributedCause::{Orphaned, Temporary, Uncommitted};
        let mut unowned = Unowned::default();
        let file = [(key(16384), stray(10))];
        assert_eq!(causes(&mut unowned, &file, (100, 105)), [(Uncommitted, 10)]);
        // its creator may be any transaction below 105
        assert_eq!(causes(&mut unowned, &file, (104, 110)), [(Uncommitted, 10)]);
        assert_eq!(causes(&mut unowned, &file, (105, 110)), [(Orphaned, 10)]);
        // what was seen in between starts anew
        assert_eq!(causes(&mut unowned, &[], (106, 110)), []);
        assert_eq!(causes(&mut unowned, &file, (107, 110)), [(Uncommitted, 10)]);
        // an empty file waits for the checkpoint only, and a temporary one for its session
        let temporary = FileKey {
            backend: 3,
            ..key(1)
        };
        let files = [(key(2), stray(0)), (temporary, stray(7))];
        for transactions in [(120, 120), (130, 130)] {
            assert_eq!(
                causes(&mut unowned, &files, transactions),
                [(Uncommitted, 0), (Temporary, 7)]
            );
        }
    }

    #[test]
    fn the_largest_files_are_named() {
        let count = u32::try_from(NAMED).unwrap() + 9;
        let strays = (1..=count).map(|n| (key(n), stray(u64::from(n)))).collect();
        let server = [(1663, "PG_VERSION".to_owned(), 3)];
        let found = Unowned::default().explain(
            &strays,
            &server,
            &Transactions {
                snapshot: String::new(),
                oldest: 1,
                next: 1,
            },
            |_| "base/5",
        );
        let file = |n: u64| UnattributedFile {
            path: format!("base/5/{n}"),
            bytes: n,
        };
        assert_eq!(found[0].largest[0].path, "base/5/PG_VERSION");
        let count = u64::from(count);
        assert_eq!(found[1].bytes, count * (count + 1) / 2);
        let largest: Vec<UnattributedFile> = (10..=count).rev().map(file).collect();
        assert_eq!(found[1].largest, largest);
    }
}
