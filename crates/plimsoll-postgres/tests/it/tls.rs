//! Every `sslmode` against a server with TLS, certificates made here.
