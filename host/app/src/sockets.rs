//! The sockets of the feed: which of them are open, under which number, and when a lost one is tried again.
//!
//! Each has a wait of its own between attempts, so that one that cannot connect does not hold the other one up. None is ever
//! starved: whose turn it was comes last.

use isobar_engine::units::SECOND;
use isobar_kalshi::backoff::Backoff;
use isobar_kalshi::feed::{Feed, FeedEvent};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

/// First and longest wait between two attempts to connect, nanoseconds.
const RETRY: (i64, i64) = (SECOND / 2, 10 * SECOND);

/// One socket.
struct Socket {
    /// Its connection, where it is open, by its number in the run.
    open: Option<(u32, Feed)>,
    attempts: u32,
    backoff: Backoff,
}

/// All sockets of a run.
pub struct Sockets {
    sockets: Vec<Socket>,
    /// Number of the last connection.
    last: u32,
    /// Which one is asked first.
    turn: usize,
}

impl Sockets {
    /// So many closed sockets; the next connection gets the number after `last`. `seed` spreads the waits.
    pub fn new(sockets: usize, last: u32, seed: u64) -> Self {
        let socket = |index| Socket {
            open: None,
            attempts: 0,
            backoff: Backoff::new(RETRY.0, RETRY.1, seed.wrapping_add(index)),
        };
        Self { sockets: (0..).map(socket).take(sockets).collect(), last, turn: 0 }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.sockets.len()
    }

    /// How long to wait before a socket connects, which is its next attempt.
    pub fn attempt(&mut self, socket: usize) -> Duration {
        let Socket { attempts, backoff, .. } = &mut self.sockets[socket];
        *attempts += 1;
        match *attempts - 1 {
            0 => Duration::ZERO,
            failed => Duration::from_nanos(backoff.wait_after(failed - 1).unsigned_abs()),
        }
    }

    /// A socket is open; the number of its connection.
    pub fn opened(&mut self, socket: usize, feed: Feed) -> u32 {
        self.last += 1;
        self.sockets[socket].attempts = 0;
        self.sockets[socket].open = Some((self.last, feed));
        self.last
    }

    /// A socket is gone; the number that its connection had.
    pub fn closed(&mut self, socket: usize) -> Option<u32> {
        self.sockets[socket].open.take().map(|(connection, _)| connection)
    }

    /// The socket of a connection and its feed; nothing where it is gone.
    pub fn find(&mut self, connection: u32) -> Option<(usize, &mut Feed)> {
        self.sockets.iter_mut().enumerate().find_map(|(socket, one)| match &mut one.open {
            Some((number, feed)) if *number == connection => Some((socket, feed)),
            _ => None,
        })
    }

    /// Waits for the next event of any socket, and says whose it is: its place and the number of its connection. Never
    /// completes where none is open. Cancel-safe.
    pub async fn next(&mut self) -> (usize, u32, FeedEvent) {
        let event = poll_fn(|context| {
            for step in 0..self.sockets.len() {
                let socket = (self.turn + step) % self.sockets.len();
                if let Some((connection, feed)) = &mut self.sockets[socket].open
                    && let Poll::Ready(event) = pin!(feed.next()).poll(context)
                {
                    return Poll::Ready((socket, *connection, event));
                }
            }
            Poll::Pending
        })
        .await;
        self.turn = event.0 + 1;
        event
    }

    /// The next event of a socket that is here already.
    pub fn try_next(&mut self, socket: usize) -> Option<FeedEvent> {
        self.sockets[socket].open.as_mut().and_then(|(_, feed)| feed.try_next())
    }
}
