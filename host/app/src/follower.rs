//! The follower: reads the feed journal and runs every paper slot behind it, on a thread of its own.
//!
//! The feed never waits for a slot. A slot that is slow reads on from the journal later; its answers carry the number and
//! the time of the input that they answer, so being late changes nothing in what it does.

use crate::audit::Books;
use crate::screen::Screen;
use crate::seat::{Order, Seat};
use crate::slot::World;
use anyhow::Result;
use isobar_engine::event::Input;
use isobar_kalshi::protocol::Protocol;
use isobar_store::{FeedReader, Notice};
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Duration;

/// Most inputs that are applied before commands are looked at again.
const BATCH: usize = 256;

/// Reads a feed journal to its end and runs the slots behind it.
pub struct Follower {
    reader: FeedReader,
    notice: Notice,
    protocol: Protocol,
    pub seats: Vec<Seat>,
    orders: Receiver<(usize, Order)>,
    /// Shown to the audit, where there is one.
    books: Option<Books>,
    screen: Arc<Screen>,
}

impl Follower {
    pub fn new(
        reader: FeedReader,
        protocol: Protocol,
        notice: Notice,
        seats: Vec<Seat>,
        orders: Receiver<(usize, Order)>,
        books: Option<Books>,
        screen: Arc<Screen>,
    ) -> Self {
        Self { reader, notice, protocol, seats, orders, books, screen }
    }

    /// Runs until the feed's closing record was applied.
    pub fn run(mut self) -> Result<Vec<Seat>> {
        // The opening (of a run that goes on, its first new record) is journaled before there is a follower. What a slot is
        // given at the start it holds from there on, as in a rerun.
        self.next()?;
        loop {
            let closed = self.batch()?;
            if closed {
                self.finish()?;
                return Ok(self.seats);
            }
            for seat in &mut self.seats {
                seat.world.flush()?;
                seat.world.prepare();
            }
            if let Some(books) = &self.books {
                books.show(self.seats.first().map(|seat| &seat.slot.engine));
            }
            self.screen.flush();
            // Short enough that a swap offered in a quiet moment is not noticed late.
            self.reader.wait(&self.notice, Duration::from_millis(5));
        }
    }

    /// Applies what there is; says whether the run ended.
    fn batch(&mut self) -> Result<bool> {
        loop {
            self.obey();
            for _ in 0..BATCH {
                match self.next()? {
                    Next::Applied => {}
                    Next::Closed => return Ok(true),
                    Next::Nothing => return Ok(false),
                }
            }
            for seat in &mut self.seats {
                seat.world.flush()?;
            }
            // A follower that lags is not idle for long stretches; what it did is shown all the same.
            self.screen.flush();
        }
    }

    fn next(&mut self) -> Result<Next> {
        let mut unsent = Vec::new();
        let Some(record) = self.reader.next()? else { return Ok(Next::Nothing) };
        let (seq, at) = (record.seq, record.at);
        let closing = matches!(record.input, Input::Closing);
        let body = self.protocol.apply(at, &record.input, &mut unsent);
        self.screen.body(at, &body);
        if let Some(books) = &mut self.books {
            books.apply(seq, at, &body);
        }
        for seat in &mut self.seats {
            seat.slot.input(seq, at, &body, &mut seat.world);
            seat.tell();
        }
        Ok(if closing { Next::Closed } else { Next::Applied })
    }

    /// Swaps fall between two inputs, after the first of the run.
    fn obey(&mut self) {
        if self.seats.iter().any(|seat| seat.slot.seq().is_none()) {
            return;
        }
        while let Ok((seat, order)) = self.orders.try_recv() {
            self.seats[seat].obey(order);
        }
    }

    fn finish(&mut self) -> Result<()> {
        for seat in &mut self.seats {
            seat.slot.close(&mut seat.world);
            seat.tell();
            seat.world.flush()?;
        }
        self.screen.flush();
        Ok(())
    }
}

enum Next {
    Applied,
    Closed,
    Nothing,
}
