//! The disk as a whole: volumes and the parts that fill them, how fast, why, and what would help.

pub mod pace;
