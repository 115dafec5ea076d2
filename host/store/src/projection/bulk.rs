//! Rows of the tables that grow with every decision, gathered and inserted many at a time (one at a time costs fifteen
//! times as much).

use super::{int, variant};
use crate::error::Result;
use crate::slot::Seen;
use isobar_engine::event::Fault;
use isobar_engine::snapshot::{Decision, Reason};
use sqlx::{QueryBuilder, SqliteConnection};

/// Rows in one statement: SQLite binds at most 32 766 values.
const ROWS: usize = 1_000;

struct DecisionRow {
    decision: u64,
    seq: u64,
    at: i64,
    event: String,
    took_ns: u64,
    takes: usize,
    quotes: usize,
    fault: Option<String>,
}

struct ReasonRow {
    decision: u64,
    line: usize,
    seen: Seen,
    reason: Reason,
}

/// Decisions and their reasons that wait for the end of their transaction.
#[derive(Default)]
pub(super) struct Bulk {
    decisions: Vec<DecisionRow>,
    reasons: Vec<ReasonRow>,
}

/// The question that a decision answers, and what answering it took.
pub(super) struct Question {
    pub decision: u64,
    pub seq: u64,
    pub at: i64,
    pub event: String,
    pub took_ns: u64,
}

impl Bulk {
    pub(super) fn len(&self) -> usize {
        self.decisions.len() + self.reasons.len()
    }

    pub(super) fn push(&mut self, question: Question, seen: &[Seen], outcome: Result<Decision, Fault>) {
        let Question { decision, seq, at, event, took_ns } = question;
        let fault = outcome.as_ref().err().map(describe);
        let answer = outcome.unwrap_or_default();
        let (takes, quotes) = (answer.takes.len(), answer.quotes.len());
        self.decisions.push(DecisionRow { decision, seq, at, event, took_ns, takes, quotes, fault });
        for (line, reason) in answer.reasons.into_iter().enumerate() {
            // An answer about a bracket that was not shown is a fault, which has no reasons.
            if let Some(seen) = seen.get(usize::from(reason.bracket)) {
                self.reasons.push(ReasonRow { decision, line, seen: *seen, reason });
            }
        }
    }

    /// Inserts everything that was gathered.
    ///
    /// Only the statement of full size is kept for the next time. One of every other size would be kept too, a hundred of
    /// them, half a megabyte each.
    pub(super) async fn write(self, connection: &mut SqliteConnection, slot: &str) -> Result<()> {
        for rows in self.decisions.chunks(ROWS) {
            let mut query = QueryBuilder::new(
                "INSERT INTO decisions (slot, decision, seq, at, event, took_ns, takes, quotes, fault) ",
            );
            query.push_values(rows, |mut values, row| {
                values.push_bind(slot.to_owned()).push_bind(int(row.decision)).push_bind(int(row.seq));
                values.push_bind(row.at).push_bind(row.event.clone()).push_bind(int(row.took_ns));
                values.push_bind(int(row.takes as u64)).push_bind(int(row.quotes as u64));
                values.push_bind(row.fault.clone());
            });
            query.build().persistent(rows.len() == ROWS).execute(&mut *connection).await?;
        }
        for rows in self.reasons.chunks(ROWS) {
            let mut query = QueryBuilder::new(
                "INSERT INTO reasons (slot, decision, line, market, verdict, side, price, quantity, take_ev, make_ev, \
                 note, probability, bid, bid_size, ask, ask_size, position) ",
            );
            query.push_values(rows, |mut values, ReasonRow { decision, line, seen, reason }| {
                values.push_bind(slot.to_owned()).push_bind(int(*decision)).push_bind(int(*line as u64));
                values.push_bind(i64::from(seen.market.0));
                values.push_bind(variant(&reason.verdict)).push_bind(variant(&reason.side));
                values.push_bind(reason.price.map(|price| i64::from(price.units())));
                values.push_bind(int(reason.quantity.units()));
                values.push_bind(reason.take_ev).push_bind(reason.make_ev).push_bind(reason.note.clone());
                values.push_bind(seen.probability.map(|probability| i64::from(probability.ppm())));
                for level in [seen.bid, seen.ask] {
                    values.push_bind(level.map(|level| i64::from(level.price.units())));
                    values.push_bind(level.map(|level| int(level.quantity.units())));
                }
                values.push_bind(seen.position);
            });
            query.build().persistent(rows.len() == ROWS).execute(&mut *connection).await?;
        }
        Ok(())
    }
}

fn describe(fault: &Fault) -> String {
    match fault {
        Fault::OutOfFuel => "out of fuel".to_owned(),
        Fault::OutOfMemory => "out of memory".to_owned(),
        Fault::Trap(what) => format!("trap: {what}"),
        Fault::Refused(what) => format!("refused: {what}"),
        Fault::Contract(what) => format!("contract: {what}"),
        Fault::NotPure => "not pure".to_owned(),
        Fault::Deadline => "deadline".to_owned(),
    }
}
