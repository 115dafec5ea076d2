//! A model asked with a deadline: it runs on a thread of its own, so that one that hangs costs an opinion and no more.

use crate::{Answer, Error, Manifest, NoOpinion, Session};
use isobar_engine::units::Digest;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::time::Duration;

/// A session with its thread. Dropping it ends the thread after the row that it works on.
pub struct Timed {
    manifest: Manifest,
    model: Digest,
    deadline: Duration,
    rows: SyncSender<Vec<f32>>,
    answers: Receiver<Result<Answer, NoOpinion>>,
    /// A row was given up on and its answer has not come yet.
    owes: bool,
}

impl Timed {
    /// Gives the session a thread. `deadline` is the machine's time.
    ///
    /// # Errors
    /// [`Error::Thread`] where the system has none left.
    pub fn new(mut session: Session, deadline: Duration) -> Result<Self, Error> {
        let (manifest, model) = (session.manifest().clone(), session.model());
        Self::around(manifest, model, deadline, move |row| session.ask(row))
    }

    fn around(
        manifest: Manifest,
        model: Digest,
        deadline: Duration,
        mut ask: impl FnMut(&[f32]) -> Result<Answer, NoOpinion> + Send + 'static,
    ) -> Result<Self, Error> {
        let (rows, given) = sync_channel::<Vec<f32>>(1);
        let (tell, answers) = sync_channel(1);
        std::thread::Builder::new()
            .name(format!("model-{}", manifest.city.to_lowercase()))
            .spawn(move || {
                while let Ok(row) = given.recv() {
                    if tell.send(ask(&row)).is_err() {
                        return;
                    }
                }
            })
            .map_err(Error::Thread)?;
        Ok(Self { manifest, model, deadline, rows, answers, owes: false })
    }

    /// What the bundle says about itself.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The hash that names the bundle.
    pub fn model(&self) -> Digest {
        self.model
    }

    /// Asks the model about a row in the graph's order. An answer that comes after the deadline is dropped; until it
    /// came, there is none to anything else.
    ///
    /// # Errors
    /// [`NoOpinion::Late`] at the deadline, else what the session answers.
    pub fn ask(&mut self, row: Vec<f32>) -> Result<Answer, NoOpinion> {
        let late = NoOpinion::Late { limit_ms: self.deadline.as_millis() };
        let ended = || NoOpinion::BadAnswer("its thread has ended".to_owned());
        if self.owes {
            match self.answers.try_recv() {
                Ok(_) => self.owes = false,
                Err(TryRecvError::Empty) => return Err(late),
                Err(TryRecvError::Disconnected) => return Err(ended()),
            }
        }
        self.rows.send(row).map_err(|_| ended())?;
        match self.answers.recv_timeout(self.deadline) {
            Ok(answer) => answer,
            Err(RecvTimeoutError::Disconnected) => Err(ended()),
            Err(RecvTimeoutError::Timeout) => {
                self.owes = true;
                Err(late)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[test]
    fn a_model_that_hangs_costs_its_opinions_until_it_comes_back() {
        let text = include_str!("../../../models/mia/model.toml");
        let manifest = Manifest::parse(text).expect("a manifest");
        let (go, wait) = channel::<()>();
        // Hangs on rows that begin with a negative number until it is told to go on; ends its thread on an empty row.
        let ask = move |row: &[f32]| {
            if row[0] < 0.0 {
                wait.recv().expect("told to go on");
            }
            Ok(Answer { lowest: 70, classes: vec![row[0]] })
        };
        let mut timed = Timed::around(manifest, Digest::default(), Duration::from_millis(80), ask).expect("a thread");
        let value = |answer: Result<Answer, NoOpinion>| answer.map(|answer| answer.classes[0]);
        assert_eq!(value(timed.ask(vec![0.5])), Ok(0.5));
        let late = Err(NoOpinion::Late { limit_ms: 80 });
        assert_eq!(value(timed.ask(vec![-1.0])), late);
        assert_eq!(value(timed.ask(vec![0.25])), late, "it still hangs");
        go.send(()).expect("it waits");
        // It was given up on: its answer is dropped, and the next question gets its own.
        let mut patient = |row: Vec<f32>| {
            let answers = (0..200).map(|_| {
                std::thread::sleep(Duration::from_millis(10));
                value(timed.ask(row.clone()))
            });
            answers.into_iter().find(|answer| *answer != late).expect("it answers some time")
        };
        assert_eq!(patient(vec![0.125]), Ok(0.125));
        let ended = |answer| matches!(answer, Err(NoOpinion::BadAnswer(reason)) if reason.contains("ended"));
        assert!(ended(patient(vec![])), "its thread panics");
        assert!(ended(patient(vec![0.5])));
    }
}
