//! What a component says of itself, checked.

use crate::error::Refusal;
use isobar_engine::event::Watch;
use serde::Serialize;
use std::collections::BTreeSet;

/// Most bytes of a name, a version or the name of a parameter.
const NAME_BYTES: usize = 64;
/// Most bytes of the text about a parameter.
const ABOUT_BYTES: usize = 400;
/// Most parameters.
const PARAMETERS: usize = 64;
/// Most levels a side that a component may watch. Source: [`Watch::levels`].
const LEVELS: u8 = 10;

/// What a component says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// When it wants to be asked.
    pub watch: Watch,
    /// Its parameters, in the order in which snapshots carry their values.
    pub parameters: Vec<Parameter>,
}

/// A number that the trader may set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Parameter {
    /// Its name in the configuration.
    pub name: String,
    /// What one unit of its values is.
    pub unit: Unit,
    /// Value where none is set.
    pub default: i64,
    /// Least value.
    pub minimum: i64,
    /// Greatest value.
    pub maximum: i64,
    /// What it does, for people.
    pub about: String,
}

/// What one unit of a parameter's value is, and so how many decimals the trader may write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// 1/1 000 000; written as a share, `0.05`.
    Ppm,
    /// 1/1 000 000 dollar; written in dollars, `20`.
    Money,
    /// 1/100 contract; written in contracts.
    Quantity,
    /// 1/10 000 dollar; written in dollars, `0.48`.
    Price,
    /// One.
    Count,
    /// One second.
    Seconds,
}

impl Unit {
    /// Decimals that a written value may have.
    pub const fn decimals(self) -> u32 {
        match self {
            Self::Ppm | Self::Money => 6,
            Self::Quantity => 2,
            Self::Price => 4,
            Self::Count | Self::Seconds => 0,
        }
    }
}

impl Description {
    /// Those of the given parameters that the component declares: what is meant for another rule is left out.
    pub fn declared(&self, given: &[(String, String)]) -> Vec<(String, String)> {
        let has = |name: &str| self.parameters.iter().any(|parameter| parameter.name == name);
        given.iter().filter(|(name, _)| has(name)).cloned().collect()
    }

    /// The description as it is, or why it is outside the contract.
    pub(crate) fn checked(self) -> Result<Self, Refusal> {
        match self.flaw() {
            Some(flaw) => Err(Refusal::Description(flaw)),
            None => Ok(self),
        }
    }

    fn flaw(&self) -> Option<String> {
        if !is_name(&self.name) || !is_name(&self.version) {
            return Some(format!("name and version are 1 to {NAME_BYTES} bytes of letters, digits and .-_+"));
        }
        if !(1..=LEVELS).contains(&self.watch.levels) {
            return Some(format!("it watches {} levels, not 1 to {LEVELS}", self.watch.levels));
        }
        if self.watch.every < 0 || self.watch.at_most_every < 0 {
            return Some("a watch time below zero".to_owned());
        }
        if self.parameters.len() > PARAMETERS {
            return Some(format!("more than {PARAMETERS} parameters"));
        }
        let mut names = BTreeSet::new();
        self.parameters.iter().find_map(|parameter| {
            let name = &parameter.name;
            if !is_name(name) {
                Some(format!("a parameter's name is 1 to {NAME_BYTES} bytes of letters, digits and .-_+"))
            } else if !names.insert(name) {
                Some(format!("two parameters named {name}"))
            } else if parameter.about.len() > ABOUT_BYTES {
                Some(format!("more than {ABOUT_BYTES} bytes about {name}"))
            } else if !(parameter.minimum..=parameter.maximum).contains(&parameter.default) {
                Some(format!("the default of {name} is outside its range"))
            } else {
                None
            }
        })
    }
}

/// Names reach logs, file names and screens, so they are plain.
fn is_name(text: &str) -> bool {
    (1..=NAME_BYTES).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_+".contains(&b))
}
