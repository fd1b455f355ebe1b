//! Why an episode ended.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::kind::UnknownName;

/// Why an episode ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResolvedBy {
    /// The condition that closes it was met.
    Condition,
    /// Somebody closed it.
    Hand,
    /// No rule judges it any more: it is disabled, or no pattern or limit names the subject.
    RuleDisabled,
    /// Nobody watches the instance or database any more.
    NotWatched,
    /// The table or volume is not there any more.
    Gone,
}

impl ResolvedBy {
    /// Each.
    pub const ALL: [Self; 5] = [
        Self::Condition,
        Self::Hand,
        Self::RuleDisabled,
        Self::NotWatched,
        Self::Gone,
    ];

    /// The name that answers and stores carry.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Condition => "condition",
            Self::Hand => "hand",
            Self::RuleDisabled => "rule_disabled",
            Self::NotWatched => "not_watched",
            Self::Gone => "gone",
        }
    }

    /// For people, where it was not the condition that ended it.
    pub const fn text(self) -> Option<&'static str> {
        match self {
            Self::Condition => None,
            Self::Hand => Some("it was closed by hand"),
            Self::RuleDisabled => Some("no rule judges it any more"),
            Self::NotWatched => Some("it is not watched any more"),
            Self::Gone => Some("what it was about is not there any more"),
        }
    }
}

impl fmt::Display for ResolvedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ResolvedBy {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        let find = Self::ALL.into_iter().find(|by| by.as_str() == text);
        find.ok_or_else(|| UnknownName::new(text, &Self::ALL.map(Self::as_str)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_read_back_and_is_the_one_that_serde_writes() {
        for by in ResolvedBy::ALL {
            assert_eq!(by.as_str().parse(), Ok(by));
            assert_eq!(serde_json::to_value(by).unwrap(), by.as_str());
            assert_eq!(by.text().is_none(), by == ResolvedBy::Condition);
        }
        assert!("somebody".parse::<ResolvedBy>().is_err());
    }
}
