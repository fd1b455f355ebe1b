//! `plimsoll check-config`: what the configuration means, or what is wrong with it (exit code 1).

use std::io::Write;

use plimsoll_server::answer::channels::{ChannelAnswer, configured_channel};
use plimsoll_server::settings::{Databases, Watched};
use secrecy::ExposeSecret as _;
use serde::Serialize;

use super::Finding;
use crate::args::{Global, OutputFormat};
use crate::config::{self, Config};
use crate::output;
use crate::secrets::masked;

#[derive(Serialize)]
struct Checked {
    ok: bool,
    problems: Vec<String>,
    warnings: Vec<String>,
    store: Option<String>,
    instances: Vec<Instance>,
    channels: Vec<ChannelAnswer>,
}

#[derive(Serialize)]
struct Instance {
    name: String,
    /// Without its password.
    url: String,
    databases: String,
}

pub(crate) fn run(global: &Global) -> anyhow::Result<Finding> {
    let checked = match config::resolve(global) {
        Ok(config) => check(&config),
        Err(error) => Checked {
            ok: false,
            problems: vec![masked(&output::chain(&error)).into_owned()],
            warnings: Vec::new(),
            store: None,
            instances: Vec::new(),
            channels: Vec::new(),
        },
    };
    if global.output == OutputFormat::Json {
        output::json(&checked)?;
    } else {
        output::print(|out| print(out, &checked))?;
    }
    Ok(if checked.ok {
        Finding::None
    } else {
        Finding::Some
    })
}

fn check(config: &Config) -> Checked {
    let mut problems = Vec::new();
    if let Err(error) = config.settings.validate() {
        problems.push(masked(&error.to_string()).into_owned());
    }
    let store_url = config.store_url.expose_secret();
    if let Err(error) = plimsoll_store::open(store_url) {
        problems.push(masked(&error.to_string()).into_owned());
    }
    Checked {
        ok: problems.is_empty(),
        problems,
        warnings: config.warnings.clone(),
        store: Some(masked(store_url).into_owned()),
        instances: config.settings.instances.iter().map(instance).collect(),
        channels: config
            .settings
            .channels
            .iter()
            .map(configured_channel)
            .collect(),
    }
}

fn instance(watched: &Watched) -> Instance {
    let mut databases = match &watched.databases {
        Databases::OfUrl => "the one of the URL".to_owned(),
        Databases::Listed(names) => names.join(", "),
        Databases::All => "all".to_owned(),
    };
    if !watched.exclude.is_empty() {
        let names: Vec<_> = watched.exclude.iter().map(String::as_str).collect();
        databases.push_str(&format!(", not {}", names.join(", ")));
    }
    Instance {
        name: watched.instance.to_string(),
        url: watched.url.to_string(),
        databases,
    }
}

fn print(out: &mut dyn Write, checked: &Checked) -> std::io::Result<()> {
    for problem in &checked.problems {
        writeln!(out, "problem: {problem}")?;
    }
    for warning in &checked.warnings {
        writeln!(out, "warning: {warning}")?;
    }
    for instance in &checked.instances {
        writeln!(
            out,
            "watches \"{}\": {}, databases: {}",
            instance.name, instance.url, instance.databases
        )?;
    }
    for channel in &checked.channels {
        writeln!(
            out,
            "has the channel \"{}\": {}, to {}",
            channel.name, channel.kind, channel.target
        )?;
    }
    if let Some(store) = &checked.store {
        writeln!(out, "keeps the history in {store}")?;
    }
    if checked.ok {
        writeln!(out, "The configuration is fine.")?;
    }
    Ok(())
}
