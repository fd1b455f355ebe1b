//! The looks of an hour, or the hours of a day, taken together: the last, the lowest and the highest of each number.

use super::{Look, Step, begin};

/// What goes on to be an hour, or a day.
#[derive(Debug, Clone)]
pub struct Summary {
    step: Step,
    so_far: Option<Look>,
}

impl Summary {
    /// Of hours, or of days.
    pub const fn of(step: Step) -> Self {
        Self { step, so_far: None }
    }

    /// Takes in the next look; gives the stretch that is over with it.
    pub fn add(&mut self, look: &Look) -> Option<Look> {
        let stretch = |look: &Look| begin(look.at.as_second(), self.step.seconds());
        let own = |extremes: &[Option<i64>]| {
            if extremes.is_empty() {
                look.values.clone()
            } else {
                extremes.to_vec()
            }
        };
        let mut next = Look {
            low: own(&look.low),
            high: own(&look.high),
            usual: Vec::new(),
            ..look.clone()
        };
        let over = self
            .so_far
            .take_if(|so_far| stretch(so_far) != stretch(look));
        if let Some(so_far) = &self.so_far {
            merge(&mut next, so_far);
        }
        self.so_far = Some(next);
        over
    }

    /// When the last look was that it has taken in.
    pub fn last(&self) -> Option<&Look> {
        self.so_far.as_ref()
    }
}

/// The extremes of what came before. Numbers of parts that are no more are left out with them.
fn merge(next: &mut Look, before: &Look) {
    if next.shape == before.shape {
        for at in 0..next.values.len() {
            next.low[at] = known(next.low[at], before.low[at], i64::min);
            next.high[at] = known(next.high[at], before.high[at], i64::max);
        }
        return;
    }
    let mut at = 1;
    for pool in next.shape.pools.clone() {
        at += super::SPACE;
        for part in &pool.parts {
            let was = before.extremes(&pool.pool, part.part, part.name.as_deref());
            next.low[at] = known(next.low[at], was.map(|[low, ..]| low), i64::min);
            next.high[at] = known(next.high[at], was.map(|[.., high]| high), i64::max);
            at += 1;
        }
    }
}

fn known(a: Option<i64>, b: Option<i64>, choose: fn(i64, i64) -> i64) -> Option<i64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(choose(a, b)),
        (a, b) => a.or(b),
    }
}
