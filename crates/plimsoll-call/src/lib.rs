//! Calls what is outside: an address over HTTP or HTTPS, a program of this host.
//!
//! **Invariant:** each call is bounded: in time, in what is read of the answer, and in where it goes. A redirect is an
//! answer like any other, never followed; a program runs without a shell and ends with all that it started and
//! that still carries its mark.
//!
//! **Invariant:** no secret is shown: of an address its scheme, host and port, of a program its name, of a file its path.

mod address;
pub mod http;
mod left_behind;
mod login;
mod program;
mod secret;
mod trust;

pub use crate::address::{Address, AddressError};
pub use crate::login::Login;
pub use crate::program::{Program, Ran, RunError, Wanted};
pub use crate::secret::read_secret;
pub use crate::trust::{TrustError, added_roots, roots};
