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
        "the store {store} was made by a newer plimsoll (its migration {found}, this program knows \
         {known}); use that version"
    )]
    Newer {
        /// The file, or the server.
        store: String,
        /// The store's last migration.
        found: u32,
        /// The last one that this program has.
        known: u32,
    },
    /// Migrations are missing.
    #[error("the store {store} is not set up for this version; run `plimsoll migrate`")]
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
    /// The server refused the user, or one of its rights.
    #[error("the store {store} refused: {reason}")]
    Denied {
        /// The server.
        store: String,
        /// What the server said.
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
