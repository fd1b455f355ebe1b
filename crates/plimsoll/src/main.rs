//! The binary: arguments to exit code.

#[cfg(test)]
mod demo;

fn main() {}
