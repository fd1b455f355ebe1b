//! The names of data files: what belongs to which relation, fork and segment
//! (`GetRelationPath` in `relpath.c`).

use plimsoll_core::Oid;

use crate::catalog::{FileKey, PERMANENT};

/// A data file's name, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileName {
    /// The backend in `t36_121140`, or [`PERMANENT`].
    pub backend: i32,
    pub filenode: Oid,
    pub fork: Fork,
}

/// Which of a relation's files it is; segments of one fork are not told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fork {
    Main,
    /// `_fsm`, `_vm`, `_init`.
    Other,
}

impl FileName {
    /// None for what is not a relation's file, such as `PG_VERSION`.
    pub(crate) fn parse(name: &[u8]) -> Option<Self> {
        let (backend, rest) = match name.strip_prefix(b"t") {
            Some(rest) => {
                let (backend, rest) = number(rest)?;
                (i32::try_from(backend).ok()?, rest.strip_prefix(b"_")?)
            }
            None => (PERMANENT, name),
        };
        let (filenode, rest) = number(rest)?;
        let (fork, rest) = [&b"_fsm"[..], b"_vm", b"_init"]
            .iter()
            .find_map(|suffix| rest.strip_prefix(*suffix))
            .map_or((Fork::Main, rest), |rest| (Fork::Other, rest));
        let is_whole = match rest.strip_prefix(b".") {
            Some(segment) => number(segment).is_some_and(|(_, rest)| rest.is_empty()),
            None => rest.is_empty(),
        };
        is_whole.then_some(Self {
            backend,
            filenode,
            fork,
        })
    }

    /// Which relation's file it is, in a folder of a tablespace.
    pub(crate) const fn key(&self, tablespace: Oid) -> FileKey {
        FileKey {
            tablespace,
            backend: self.backend,
            filenode: self.filenode,
        }
    }

    /// What the names of a relation's files begin with.
    pub(crate) fn stem(key: &FileKey) -> String {
        if key.backend == PERMANENT {
            key.filenode.to_string()
        } else {
            format!("t{}_{}", key.backend, key.filenode)
        }
    }
}

/// The number at the beginning, and what follows it. It fits an OID.
fn number(text: &[u8]) -> Option<(u32, &[u8])> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (number, rest) = text.split_at(digits);
    let mut value = 0_u32;
    for digit in number {
        value = value
            .checked_mul(10)?
            .checked_add(u32::from(digit - b'0'))?;
    }
    (digits > 0).then_some((value, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, expect: Option<(i32, Oid, Fork)>) {
        let found = FileName::parse(name.as_bytes());
        assert_eq!(
            found.map(|f| (f.backend, f.filenode, f.fork)),
            expect,
            "{name}"
        );
    }

    #[test]
    fn names_are_taken_apart_as_the_server_makes_them() {
        check("16384", Some((PERMANENT, 16384, Fork::Main)));
        check("16384.12", Some((PERMANENT, 16384, Fork::Main)));
        check("16384_fsm", Some((PERMANENT, 16384, Fork::Other)));
        check("16384_vm.1", Some((PERMANENT, 16384, Fork::Other)));
        check("16384_init", Some((PERMANENT, 16384, Fork::Other)));
        check("4294967295", Some((PERMANENT, u32::MAX, Fork::Main)));
        check("t36_121140", Some((36, 121_140, Fork::Main)));
        check("t0_9_fsm", Some((0, 9, Fork::Other)));
        for other in [
            "PG_VERSION",
            "pg_filenode.map",
            "pg_internal.init",
            "pg_internal.init.4711",
            "4294967296",
            "16384_",
            "16384_fsmx",
            "16384.",
            "16384.1x",
            "t36",
            "t36_",
            "t_1",
            "",
        ] {
            check(other, None);
        }
    }

    #[test]
    fn a_stem_is_what_the_name_begins_with() {
        for name in ["16384", "t36_121140"] {
            let file = FileName::parse(name.as_bytes()).unwrap();
            assert_eq!(FileName::stem(&file.key(1663)), name);
        }
    }
}
