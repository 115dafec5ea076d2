//! Whether the slot trades, was halted, or winds down; and the order group that a halt triggers.
//!
//! A halt ends only by an explicit command, once nothing of ours rests and a minute has passed: the venue may cancel what is
//! placed within a minute of a cancel of everything (PROTOCOL.md 6, 4). A wind down does not end.

use crate::units::{SECOND, Timestamp};
use serde::{Deserialize, Serialize};

/// How long after a halt the slot cannot be armed.
pub const REARM_AFTER: i64 = 60 * SECOND;

/// What the slot does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Conduct {
    #[default]
    Trading,
    Halted(Stop),
    Winding(Stop),
}

/// A halt or a wind down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stop {
    pub since: Timestamp,
    /// It was proved that nothing of ours rests.
    pub flat: bool,
    /// The account differed, so arming takes the venue's account over.
    pub differed: bool,
}

impl Conduct {
    pub fn trades(&self) -> bool {
        matches!(self, Self::Trading)
    }

    pub fn stop(&self) -> Option<&Stop> {
        match self {
            Self::Trading => None,
            Self::Halted(stop) | Self::Winding(stop) => Some(stop),
        }
    }

    pub fn stop_mut(&mut self) -> Option<&mut Stop> {
        match self {
            Self::Trading => None,
            Self::Halted(stop) | Self::Winding(stop) => Some(stop),
        }
    }

    /// Why the slot cannot be armed now.
    pub fn refuses_to_arm(&self, now: Timestamp) -> Option<String> {
        match self {
            Self::Trading => Some("it was not halted".to_owned()),
            Self::Winding(_) => Some("it winds down".to_owned()),
            Self::Halted(stop) if !stop.flat => Some("it is not proved that nothing of ours rests".to_owned()),
            Self::Halted(stop) if now.since(stop.since) < REARM_AFTER => {
                Some("the venue may cancel new orders for a minute after a halt".to_owned())
            }
            Self::Halted(_) => None,
        }
    }
}
