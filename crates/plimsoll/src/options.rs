//! Options of the command line, made from the parameters that the server declares.

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Args, Command, Error, FromArgMatches};
use plimsoll_server::ask::{Ask, Given, Param};
use plimsoll_server::clock::{Clock as _, SystemClock};

/// A question whose parameters are options of the command line.
#[derive(Debug, Clone)]
pub(crate) struct Options<T>(pub(crate) T);

impl<T: Ask> Args for Options<T> {
    fn augment_args(command: Command) -> Command {
        command.args(T::params().into_iter().map(option))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl<T: Ask> FromArgMatches for Options<T> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let given = |param: &&Param| {
            let value = matches.get_one::<String>(param.name)?;
            // What was declared holds without being given; a command may have another default.
            if matches.value_source(param.name) == Some(ValueSource::DefaultValue)
                && param.default == Some(value)
            {
                return None;
            }
            Some((param.name.to_owned(), value.clone()))
        };
        let pairs = T::params().iter().filter_map(given).collect();
        T::read(&Given::new(pairs, SystemClock.now()))
            .map(Self)
            .map_err(|refused| {
                let text = refused.text(&option_name(&refused.parameter));
                Error::raw(clap::error::ErrorKind::ValueValidation, format!("{text}\n"))
            })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// `--max-age` for `max_age`.
fn option_name(parameter: &str) -> String {
    format!("--{}", parameter.replace('_', "-"))
}

fn option(param: &'static Param) -> Arg {
    let option = Arg::new(param.name)
        .long(param.name.replace('_', "-"))
        .value_name(param.accepts.placeholder())
        .help(param.text);
    match param.default {
        Some(default) => option.default_value(default),
        None => option,
    }
}
