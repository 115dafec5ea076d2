//! Signatures made ahead, on a thread of their own, so that the driver never waits for RSA.
//!
//! Signed is the time, the method and the path, never the body: every create has the same text but for its time. Whoever is
//! idle calls [`Presigned::refresh`]; whoever places an order calls [`Presigned::take`] and gets nothing rather than a
//! signature that is older than its life. Both return at once.

use super::{Credentials, Headers};
use isobar_engine::units::Timestamp;
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

/// How often one signature may serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reuse {
    /// For every request within its life. The venue documents nothing against it: a signature proves a time and a path.
    WithinLife,
    /// Once; this many are kept in stock.
    Never {
        /// Size of the stock.
        stock: usize,
    },
}

/// Signatures for one method and path, ready to be sent.
#[derive(Debug)]
pub struct Presigned {
    jobs: Sender<Timestamp>,
    made: Receiver<(Timestamp, Headers)>,
    stock: VecDeque<(Timestamp, Headers)>,
    asked: usize,
    /// Age of a signature, in the run's time, beyond which it is not used.
    life: i64,
    reuse: Reuse,
}

impl Presigned {
    /// Begins to sign `method path` on a new thread, which ends when this is dropped. A signature lives for `life`
    /// nanoseconds of the run's time: 2 s, which every clock window of the venue covers.
    pub fn new(
        credentials: Arc<Credentials>,
        method: &'static str,
        path: String,
        life: i64,
        reuse: Reuse,
    ) -> io::Result<Self> {
        let (jobs, asked) = channel::<Timestamp>();
        let (tell, made) = channel();
        std::thread::Builder::new().name("signer".into()).spawn(move || {
            while let Ok(now) = asked.recv() {
                if tell.send((now, credentials.sign(now, method, &path))).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { jobs, made, stock: VecDeque::new(), asked: 0, life, reuse })
    }

    /// Has new signatures made where the ones at hand are few or past half of their life. To be called when idle, at least
    /// twice within a life.
    pub fn refresh(&mut self, now: Timestamp) {
        self.collect(now);
        let wanted = match self.reuse {
            Reuse::WithinLife => 1,
            Reuse::Never { stock } => stock,
        };
        let fresh = self.stock.iter().filter(|(made, _)| now.since(*made) < self.life / 2).count();
        for _ in (fresh + self.asked)..wanted {
            // A signer that died is noticed by the lack of signatures: the caller then signs by itself.
            self.asked += usize::from(self.jobs.send(now).is_ok());
        }
    }

    /// A signature that is not older than its life; nothing where none is ready.
    pub fn take(&mut self, now: Timestamp) -> Option<Headers> {
        self.collect(now);
        match self.reuse {
            Reuse::WithinLife => self.stock.back().map(|(_, headers)| headers.clone()),
            Reuse::Never { .. } => self.stock.pop_front().map(|(_, headers)| headers),
        }
    }

    /// Takes in what was made and throws away what is too old, or from a time that is still to come.
    fn collect(&mut self, now: Timestamp) {
        while let Ok(made) = self.made.try_recv() {
            self.asked = self.asked.saturating_sub(1);
            self.stock.push_back(made);
        }
        let life = self.life;
        self.stock.retain(|(made, _)| (0..=life).contains(&now.since(*made)));
    }
}
