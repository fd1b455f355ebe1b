//! Why files of a database's folder belong to no relation.

use foldhash::{HashMap, HashMapExt};
use std::cmp::Reverse;

use plimsoll_core::Oid;
use plimsoll_core::snapshot::{Unattributed, UnattributedCause};

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

/// How many files a cause names as examples.
const EXAMPLES: usize = 5;

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
    examples: Vec<(u64, String)>,
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
                    examples: Vec::new(),
                },
                examples: Vec::new(),
            });
            self.0.len() - 1
        });
        let known = &mut self.0[at];
        known.found.bytes += bytes;
        known.found.files += files;
        if known.examples.len() < EXAMPLES {
            known.examples.push((bytes, path()));
        } else if let Some(smallest) = known.examples.iter_mut().min_by_key(|(bytes, _)| *bytes)
            && smallest.0 < bytes
        {
            *smallest = (bytes, path());
        }
    }
}

impl Cause {
    fn finish(mut self) -> Unattributed {
        self.examples
            .sort_by_key(|(bytes, path)| (Reverse(*bytes), path.clone()));
        self.found.examples = self.examples.into_iter().map(|(_, path)| path).collect();
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
    fn the_largest_files_are_the_examples() {
        let strays = (1..=9).map(|n| (key(n), stray(u64::from(n)))).collect();
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
        assert_eq!(found[0].examples, ["base/5/PG_VERSION"]);
        assert_eq!(found[1].bytes, 45);
        assert_eq!(
            found[1].examples,
            ["base/5/9", "base/5/8", "base/5/7", "base/5/6", "base/5/5"]
        );
    }
}
