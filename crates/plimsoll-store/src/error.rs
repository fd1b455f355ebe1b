//! What can go wrong in the store, each with a stable code and a text that says what to do.

/// What went wrong in the store. Texts name the file or the server, never a password.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The URL names no store.
    #[error("the store's URL cannot be used: {0}; write sqlite:PATH or postgres://HOST/DATABASE")]
    Url(String),
    /// The file cannot be opened, or nothing answers at the server's address.
    #[error("cannot reach the store {store}: {reason}")]
    Unreachable {
        /// The file, or the server.
        store: String,
        /// What the system said, and what to do.
        reason: String,
    },
    /// The store can be read only.
    #[error(
        "the store {store} cannot be written: {reason}; make it and its folder writable for this user, \
         or name another one with --store"
    )]
    ReadOnly {
        /// The file, or the server.
        store: String,
        /// What the system said.
        reason: String,
    },
    /// No space is left where the store lies. Nothing that was kept before is lost.
    #[error(
        "no space is left for the store {store}: {reason}; free some space or lower the retention in \
         [history]; what was kept before is intact"
    )]
    Full {
        /// The file, or the server.
        store: String,
        /// What the system said.
        reason: String,
    },
    /// The file is no store, or is damaged.
    #[error(
        "{store} is not a store, or is damaged: {reason}; move it away to begin a new one, or restore a \
         backup"
    )]
    Corrupt {
        /// The file, or the server.
        store: String,
        /// What the system said.
        reason: String,
    },
    /// A newer Plimsoll made the store.
    #[error(
        "the store {store} is of a newer plimsoll ({found}; this is {known}): use that version, or name \
         another store with --store; nothing was changed"
    )]
    Newer {
        /// The file, or the server.
        store: String,
        /// The version that was at it last, and its last migration.
        found: String,
        /// This version, and the last migration that it has.
        known: String,
    },
    /// There is no such file.
    #[error(
        "there is no store {store} yet: `plimsoll sample`, `serve` and `import` begin one; or name another \
         with --store"
    )]
    Absent {
        /// The file.
        store: String,
    },
    /// The folder that a new file is to lie in is not there.
    #[error(
        "the folder of the store {store} does not exist; --create makes it (is its disk mounted?)"
    )]
    NoFolder {
        /// The file.
        store: String,
    },
    /// The file, or the schema in the database, holds something else.
    #[error(
        "{store} belongs to something else than plimsoll: it holds {holds}; name another store with --store; \
         nothing was changed"
    )]
    Foreign {
        /// The file, or the server and its schema.
        store: String,
        /// What is there.
        holds: String,
    },
    /// Migrations are missing.
    #[error(
        "the store {store} is empty or of an older plimsoll; `plimsoll migrate` brings it up to date"
    )]
    NotMigrated {
        /// The file, or the server.
        store: String,
    },
    /// Another process held the store for too long.
    #[error("the store {store} is busy: {reason}; another process holds it, try again")]
    Busy {
        /// The file, or the server.
        store: String,
        /// What was waited for.
        reason: String,
    },
    /// The server refused the user, or one of its rights; or the way to the file is closed.
    #[error("the store {store} refused: {reason}")]
    Denied {
        /// The file, or the server.
        store: String,
        /// What it said.
        reason: String,
    },
    /// Reading or writing failed in a way that has no code of its own.
    #[error("the store {store} failed: {reason}")]
    Failed {
        /// The file, or the server.
        store: String,
        /// What the system said.
        reason: String,
    },
}

impl StoreError {
    /// A stable code, as answers and logs carry it.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Url(_) => "store_url",
            Self::Unreachable { .. } => "store_unreachable",
            Self::ReadOnly { .. } => "store_read_only",
            Self::Full { .. } => "store_full",
            Self::Corrupt { .. } => "store_corrupt",
            Self::Newer { .. } => "store_newer",
            Self::Absent { .. } => "store_absent",
            Self::NoFolder { .. } => "store_no_folder",
            Self::Foreign { .. } => "store_foreign",
            Self::NotMigrated { .. } => "store_not_migrated",
            Self::Busy { .. } => "store_busy",
            Self::Denied { .. } => "store_denied",
            Self::Failed { .. } => "store_failed",
        }
    }

    /// Whether the same call may succeed a moment later.
    pub const fn is_passing(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Busy { .. })
    }
}
