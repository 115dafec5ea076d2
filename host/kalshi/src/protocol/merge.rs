//! One book out of several connections, by the exchange's clock and the number of the change within it.
//!
//! `clock` is the same on every connection, `seq` is not (PROTOCOL.md 2.5). So each change of a market has a [`Place`] that
//! all connections agree on, and what comes on the slower one is recognised as seen. Every connection is followed from its
//! own snapshot on as long as it loses nothing; the book is proved current while at least one is, and it does not matter
//! which. A snapshot holds every change up to and with its clock: it is ahead of any number of changes of that clock, so
//! whoever is left after a loss either still brings what is missing or has passed it, also in the middle of a clock.
//!
//! Places before and after an exchange maintenance do not compare, since it may set clocks back. A connection whose own clock
//! goes back while it is the one ahead goes on alone; one that is behind, or brings what was seen long ago, has to begin
//! anew with a snapshot.
//!
//! Messages without a clock (recordings before October 2026) have no place that another connection would know: the book
//! stands on one connection, and another one takes it over by its snapshot.

use isobar_engine::units::Timestamp;

/// How far a connection is in the changes of a market.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    /// Of the newest change; nothing where messages carry none.
    clock: Option<i64>,
    /// Which change of that clock. A snapshot is after all changes of its clock.
    index: u64,
}

/// The index of a snapshot. A change that follows it at the same clock, which the venue excludes, still counts on.
const WHOLE: u64 = 1 << 32;

/// A connection that lost nothing of a market since a snapshot.
#[derive(Clone, Copy, Debug)]
struct Standing {
    connection: u32,
    sid: u32,
    place: Place,
}

/// What a change means for the book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// It is the next one.
    Applies,
    /// Another connection brought it already.
    Seen,
    /// Its connection waits for a snapshot.
    Awaits,
    /// It cannot be placed: its connection is followed no longer and has to begin anew.
    Lost,
}

/// The connections that a market's book stands on.
#[derive(Debug, Default)]
pub(super) struct Merge {
    /// How far the book is: at least as far as any connection.
    front: Place,
    /// When it came that far.
    since: Timestamp,
    standings: Vec<Standing>,
}

impl Merge {
    /// Whether the book is proved current.
    pub(super) fn is_fresh(&self) -> bool {
        !self.standings.is_empty()
    }

    /// Whether a subscription lost nothing of the market since its snapshot.
    pub(super) fn stands_on(&self, connection: u32, sid: u32) -> bool {
        self.standings.iter().any(|standing| (standing.connection, standing.sid) == (connection, sid))
    }

    /// Takes a change that a subscription brought at `at`. One that was seen longer than `lag` nanoseconds ago cannot be told
    /// from one after a maintenance.
    #[inline]
    pub(super) fn change(&mut self, at: Timestamp, lag: i64, connection: u32, sid: u32, clock: Option<i64>) -> Step {
        let here = |standing: &&mut Standing| (standing.connection, standing.sid) == (connection, sid);
        let Some(standing) = self.standings.iter_mut().find(here) else { return Step::Awaits };
        let before = standing.place;
        let index = if clock == before.clock { before.index + 1 } else { 1 };
        standing.place = Place { clock, index };
        if standing.place > self.front {
            (self.front, self.since) = (standing.place, at);
            return Step::Applies;
        }
        let back = clock < before.clock;
        if back && before == self.front {
            let standing = *standing;
            self.stand_alone(at, standing);
            return Step::Applies;
        }
        if back || at.since(self.since) > lag {
            self.leave(connection, sid);
            return Step::Lost;
        }
        Step::Seen
    }

    /// Takes a snapshot that a subscription brought at `at`; says whether the book becomes it. `lag` as in [`Self::change`].
    pub(super) fn snapshot(&mut self, at: Timestamp, lag: i64, connection: u32, sid: u32, clock: Option<i64>) -> bool {
        let new = Standing { connection, sid, place: Place { clock, index: WHOLE } };
        let was = self.standings.iter().position(|standing| standing.connection == connection);
        let before = was.map(|was| self.standings.remove(was).place);
        // Where its own earlier place is the book's, whatever comes on the same connection is newer.
        let ahead = new.place > self.front || before == Some(self.front);
        let back = before.is_some_and(|before| clock < before.clock)
            || new.place < self.front && !ahead && at.since(self.since) > lag;
        let first = before.is_none() && self.standings.is_empty();
        if first || back || clock.is_none() || self.front.clock.is_none() {
            self.stand_alone(at, new);
            return true;
        }
        self.standings.push(new);
        if ahead {
            (self.front, self.since) = (new.place, at);
        }
        ahead
    }

    /// A subscription lost something, or ended.
    pub(super) fn leave(&mut self, connection: u32, sid: u32) {
        self.standings.retain(|standing| (standing.connection, standing.sid) != (connection, sid));
    }

    /// The book is not believed, whoever brought it.
    pub(super) fn forget(&mut self) {
        self.standings.clear();
    }

    fn stand_alone(&mut self, at: Timestamp, standing: Standing) {
        self.standings.clear();
        self.standings.push(standing);
        (self.front, self.since) = (standing.place, at);
    }
}
