//! `plimsoll test CHANNEL`: sends a message that says only that the channel works.

use plimsoll_server::answer::channels::tested;
use plimsoll_server::channels;
use plimsoll_server::clock::{Clock as _, SystemClock};

use super::Finding;
use crate::args::Test;
use crate::context::Context;
use crate::output;

pub(crate) async fn run(context: &Context, args: &Test) -> anyhow::Result<Finding> {
    let now = SystemClock.now();
    let all = &context.config.settings.channels;
    let channel = channels::test(all, &args.channel, now).await?;
    let answer = tested(channel, now);
    if context.wants_json() {
        output::json(&answer)?;
    } else {
        output::print(|out| {
            writeln!(
                out,
                "{} ({}) took it: {}",
                answer.channel, answer.kind, answer.target
            )
        })?;
    }
    Ok(Finding::None)
}
