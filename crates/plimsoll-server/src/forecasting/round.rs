//! Floats as bytes.

/// A float as bytes.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "`as` saturates, and NaN becomes 0"
)]
pub(crate) const fn bytes(value: f64) -> u64 {
    value.round() as u64
}

/// A float as bytes that may be fewer.
#[expect(
    clippy::cast_possible_truncation,
    reason = "`as` saturates, and NaN becomes 0"
)]
pub(crate) const fn signed_bytes(value: f64) -> i64 {
    value.round() as i64
}
