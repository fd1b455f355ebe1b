//! Answers that took long to make, kept for as long as they hold: each under the validator of all that it
//! is made of.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;

/// So many bytes are kept.
const MOST_BYTES: usize = 16 << 20;

/// Kept answers, by validator; the oldest go first.
#[derive(Default)]
pub struct KeptAnswers(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    by_tag: HashMap<String, Bytes>,
    in_order: VecDeque<String>,
    bytes: usize,
}

impl KeptAnswers {
    pub(super) fn get(&self, tag: &str) -> Option<Bytes> {
        self.kept().by_tag.get(tag).cloned()
    }

    pub(super) fn keep(&self, tag: &str, answer: Bytes) {
        let mut kept = self.kept();
        if answer.len() > MOST_BYTES / 4 || kept.by_tag.contains_key(tag) {
            return;
        }
        kept.bytes += answer.len();
        kept.by_tag.insert(tag.to_owned(), answer);
        kept.in_order.push_back(tag.to_owned());
        while kept.bytes > MOST_BYTES
            && let Some(oldest) = kept.in_order.pop_front()
        {
            let gone = kept.by_tag.remove(&oldest);
            kept.bytes -= gone.map_or(0, |answer| answer.len());
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_answers_go_first_and_no_large_one_is_kept() {
        let answers = KeptAnswers::default();
        let megabyte = Bytes::from(vec![0; 1 << 20]);
        for number in 0..20 {
            answers.keep(&number.to_string(), megabyte.clone());
            answers.keep(&number.to_string(), megabyte.clone());
        }
        let kept: Vec<_> = (0..20)
            .filter(|number| answers.get(&number.to_string()).is_some())
            .collect();
        assert_eq!(kept, (4..20).collect::<Vec<_>>());
        answers.keep("large", Bytes::from(vec![0; 5 << 20]));
        assert!(answers.get("large").is_none());
    }
}
