//! Adds up what the connections of one visit cost the server.

use plimsoll_core::snapshot::Cost;

/// Counts one connection's cost.
pub(crate) fn add(total: &mut Cost, one: &Cost) {
    total.statements += one.statements;
    total.connections += one.connections;
    total.server_ms += one.server_ms;
    total.bytes_received += one.bytes_received;
    total.user_relation_locks = total.user_relation_locks.max(one.user_relation_locks);
}

/// Keeps the largest memory of a backend, or why none is known.
pub(crate) fn add_memory(total: &mut Cost, (bytes, why_not): (Option<u64>, Option<String>)) {
    total.backend_memory_bytes = total.backend_memory_bytes.max(bytes);
    total.backend_memory_unknown = match total.backend_memory_bytes {
        Some(_) => None,
        None => why_not.or_else(|| total.backend_memory_unknown.take()),
    };
}
