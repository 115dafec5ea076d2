//! The core on a running clock.

use crate::clock::Clock;
use crate::core::Core;
use isobar_engine::units::Timestamp;

pub(crate) struct Venue {
    pub(crate) core: Core,
    pub(crate) clock: Clock,
}

impl Venue {
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now(self.core.now())
    }

    /// Plays everything that is due on the scaled clock; when the next thing is due. A flood waits for no clock.
    pub(crate) fn play_due(&mut self) -> Option<Timestamp> {
        self.core.advance(self.now());
        self.core.next_wakeup()
    }
}
