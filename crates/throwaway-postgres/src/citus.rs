//! Servers with Citus, and a cluster of a coordinator with two workers, where it is installed.

use crate::error::StartError;
use crate::installation::Installation;
use crate::server::{Options, Server};
use crate::test;

/// A coordinator with its workers, which reach each other through their sockets.
#[derive(Debug)]
pub struct Cluster {
    /// The node that clients connect to.
    pub coordinator: Server,
    /// The nodes that hold the shards.
    pub workers: [Server; 2],
}

impl Cluster {
    /// Starts one whose nodes have these settings. `None` where no PostgreSQL that is here has Citus.
    pub fn start(settings: &[(&str, &str)]) -> Option<Self> {
        Some(Self {
            coordinator: node(settings)?,
            workers: [node(settings)?, node(settings)?],
        })
    }

    /// Every node.
    pub fn nodes(&self) -> [&Server; 3] {
        let [first, second] = &self.workers;
        [&self.coordinator, first, second]
    }

    /// Makes a database on each node. Only the workers have the extension in it yet.
    ///
    /// # Errors
    /// What a node says.
    pub fn make_database(&self, name: &str) -> Result<(), StartError> {
        for node in self.nodes() {
            node.sql("postgres", &format!("create database {name}"))?;
        }
        for worker in &self.workers {
            worker.sql(name, "create extension citus")?;
        }
        Ok(())
    }

    /// Makes the extension known to the coordinator's database, and the workers with it.
    ///
    /// # Errors
    /// What a node says.
    pub fn join(&self, database: &str) -> Result<(), StartError> {
        let at = |node: &Server| format!("('{}', {})", node.folder().display(), node.port());
        let mut statements = vec![
            "create extension citus".to_owned(),
            format!("select citus_set_coordinator_host{}", at(&self.coordinator)),
        ];
        let workers = self.workers.iter();
        statements.extend(workers.map(|worker| format!("select citus_add_node{}", at(worker))));
        for sql in statements {
            self.coordinator.sql(database, &sql)?;
        }
        Ok(())
    }
}

/// A server with Citus, of the oldest major that has it and starts with it.
pub fn node(settings: &[(&str, &str)]) -> Option<Server> {
    let majors = crate::SUPPORTED_MAJORS.into_iter();
    majors
        .filter_map(|major| Installation::find(Some(major)).ok())
        .find_map(|installation| of(&installation, settings))
}

/// A server of an installation with Citus; `None` where that does not have it.
pub fn of(installation: &Installation, settings: &[(&str, &str)]) -> Option<Server> {
    if !installation.has_library("citus") {
        return None;
    }
    let few = [
        ("shared_preload_libraries", "citus"),
        ("citus.shard_count", "4"),
        ("citus.node_connection_timeout", "2000"),
        ("max_prepared_transactions", "50"),
    ];
    let options = few.iter().chain(settings).fold(
        test::options(installation),
        |options: Options, (name, value)| options.setting(name, value),
    );
    let server = Server::start(&options).ok()?;
    // it reaches itself through the socket
    let folder = server.folder().display();
    for sql in [
        format!("alter system set citus.local_hostname = '{folder}'"),
        "select pg_reload_conf()".to_owned(),
    ] {
        server.sql("postgres", &sql).ok()?;
    }
    Some(server)
}
