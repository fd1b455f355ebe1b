//! The store in a PostgreSQL database, in the schema `plimsoll`.
