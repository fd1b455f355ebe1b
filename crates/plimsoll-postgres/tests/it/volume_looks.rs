//! What is told of a server's volume, look by look.

use std::time::Duration;

use plimsoll_core::disk::layout::Place;
use plimsoll_core::disk::memory::Memory;
use plimsoll_core::disk::part::Kind;
use plimsoll_core::disk::pulse::Pulse;
use plimsoll_core::disk::state::Volume as VolumeNow;
use plimsoll_core::disk::why::Cause;
use plimsoll_postgres::{Session, rest_of_disk};
use throwaway_postgres::{Server, Volume};

use crate::pulse::{look, run};

/// A server's volume, and what was seen of it.
pub(crate) struct VolumeLooks<'a> {
    pub(crate) server: &'a Server,
    pub(crate) session: &'a Session,
    memory: Memory,
    /// A volume of the server's own, where one may be mounted: elsewhere others write, too, and what is told first of a
    /// change may be theirs.
    pub(crate) volume: Option<Volume>,
}

impl<'a> VolumeLooks<'a> {
    pub(crate) fn of(server: &'a Server, session: &'a Session, volume: Option<Volume>) -> Self {
        Self {
            server,
            session,
            memory: Memory::default(),
            volume,
        }
    }

    /// Looks at everything, at a moment at which the server makes no new segment: one that is half made is of no round
    /// size, and what is made between two statements of a look is in one of them only.
    pub(crate) async fn look(&mut self) -> Pulse {
        loop {
            let before = self.wal_files();
            let seen = look(self.session).await;
            let rest = rest_of_disk(self.session, seen.at).await.unwrap();
            if before.contains("xlogtemp") || before != self.wal_files() {
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            }
            self.memory.observe(seen.clone(), Some(&rest));
            return seen;
        }
    }

    /// Looks at everything before something is made to grow: no new segment is due meanwhile, which is larger than that.
    pub(crate) async fn look_first(&mut self) -> Pulse {
        run(self.server, &["checkpoint"]);
        self.look().await
    }

    fn wal_files(&self) -> String {
        let listing = "select string_agg(f, ' ' order by f) from pg_ls_dir('pg_wal') f";
        let rows = self.server.sql("postgres", listing).unwrap();
        rows[0][0].clone().unwrap()
    }

    /// What a part gained between two looks: it is told first, and the parts add up.
    pub(crate) fn moved(&self, kind: Kind, before: &Pulse, after: &Pulse) -> Cause {
        let disk = self.memory.disk(Some(before.at), after.at);
        let is_here = |volume: &&VolumeNow| volume.places.contains(&Place::Data.to_string());
        let volume = disk.volumes.iter().find(is_here).unwrap();
        let sum: i64 = volume.parts.iter().filter_map(|it| it.part.bytes).sum();
        assert_eq!(
            Some(sum),
            volume.used_bytes.and_then(|it| i64::try_from(it).ok())
        );
        let cause = volume.why.iter().find(|cause| cause.part == kind);
        let cause = cause.unwrap_or_else(|| panic!("{kind:?} is not in {:#?}", volume.why));
        assert!(!cause.text.is_empty(), "{cause:?}");
        if self.volume.is_some() {
            assert_eq!(volume.why[0].part, kind, "{:#?}", volume.why);
            let moved: i64 = volume.why.iter().map(|cause| cause.change_bytes).sum();
            let used = |pulse: &Pulse| pulse.volumes[&volume.pool].known().unwrap().used_bytes;
            let gained = used(after).unwrap().abs_diff(used(before).unwrap());
            assert_eq!(moved.unsigned_abs(), gained, "{:#?}", volume.why);
        }
        cause.clone()
    }
}
