//! Rows made from the journal of one slot.

use super::bulk::{Bulk, Question};
use super::{BATCH, Counts, int, position, save_position, variant};
use crate::error::Result;
use crate::run::Run;
use crate::slot::{SlotEntry, SlotRecord};
use isobar_engine::event::{Component, Notice, Report};
use isobar_engine::market::MarketId;
use isobar_engine::units::{Money, Price, Quantity, Side};
use sqlx::{Connection, SqliteConnection};

/// Projects what a slot's journal gained since the last time.
pub(super) async fn project(
    connection: &mut SqliteConnection,
    run: &Run,
    slot: &str,
    counts: &mut Counts,
) -> Result<()> {
    let journal = format!("slots/{slot}");
    let mut from = position(connection, &journal).await?;
    let mut reader = run.resume_slot(slot, from)?;
    let mut more = true;
    while more {
        let mut transaction = connection.begin().await?;
        let mut rows = Rows { connection: &mut transaction, slot, bulk: Bulk::default(), counts };
        more = loop {
            let Some(entry) = reader.next()? else { break false };
            let next = entry.number + 1;
            rows.apply(entry).await?;
            if rows.bulk.len() >= BATCH && reader.position().record == next {
                break true;
            }
        };
        rows.bulk.write(&mut transaction, slot).await?;
        if reader.position() != from {
            from = reader.position();
            save_position(&mut transaction, &journal, from).await?;
            transaction.commit().await?;
        }
    }
    Ok(())
}

/// Where the rows of one transaction go.
struct Rows<'a> {
    connection: &'a mut SqliteConnection,
    slot: &'a str,
    bulk: Bulk,
    counts: &'a mut Counts,
}

/// What stands at the beginning of every row that keeps its place in the journal.
struct Place {
    record: i64,
    seq: i64,
    at: i64,
}

impl Rows<'_> {
    async fn apply(&mut self, entry: SlotEntry) -> Result<()> {
        self.counts.records += 1;
        let place = Place { record: int(entry.number), seq: int(entry.seq), at: entry.at.0 };
        match entry.record {
            SlotRecord::Opening { run, settings, .. } => {
                let sql = "INSERT INTO slots (slot, run, settings, opened_at) VALUES ($1, $2, $3, $4)
                           ON CONFLICT (slot) DO UPDATE SET settings = excluded.settings, closed_at = NULL";
                let query = sqlx::query(sql).bind(self.slot).bind(run.into_owned()).bind(settings.into_owned());
                query.bind(place.at).execute(&mut *self.connection).await?;
            }
            SlotRecord::Swapped(component) => self.swap(place, &component).await?,
            SlotRecord::Refused { path, hash, reason } => {
                self.counts.refusals += 1;
                let sql = "INSERT INTO refused_components (slot, record, seq, at, path, component, reason)
                           VALUES ($1, $2, $3, $4, $5, $6, $7)";
                let query = sqlx::query(sql).bind(self.slot).bind(place.record).bind(place.seq).bind(place.at);
                let query = query.bind(path.into_owned()).bind(hash.map(|hash| hash.to_string()));
                query.bind(reason.into_owned()).execute(&mut *self.connection).await?;
            }
            SlotRecord::Decided { decision, event, seen, outcome, took_ns } => {
                self.counts.decisions += 1;
                let event = event.into_owned();
                let question = Question { decision, seq: entry.seq, at: entry.at.0, event, took_ns };
                self.bulk.push(question, &seen, outcome.into_owned());
            }
            SlotRecord::Report(report) => self.report(place, &report).await?,
            SlotRecord::Step { .. } | SlotRecord::Checkpoint { .. } => {}
            SlotRecord::Closing => {
                let query = sqlx::query("UPDATE slots SET closed_at = $1 WHERE slot = $2").bind(place.at);
                query.bind(self.slot).execute(&mut *self.connection).await?;
            }
        }
        Ok(())
    }

    async fn swap(&mut self, place: Place, component: &Component) -> Result<()> {
        self.counts.swaps += 1;
        let parameters = serde_json::to_string(&component.parameters).expect("integers are JSON");
        let sql = "INSERT INTO swaps (slot, record, seq, at, component, name, parameters)
                   VALUES ($1, $2, $3, $4, $5, $6, $7)";
        let query = sqlx::query(sql).bind(self.slot).bind(place.record).bind(place.seq).bind(place.at);
        let query = query.bind(component.hash.to_string()).bind(component.name.clone()).bind(parameters);
        query.execute(&mut *self.connection).await?;
        Ok(())
    }

    async fn report(&mut self, place: Place, report: &Report) -> Result<()> {
        match *report {
            Report::Placed { order, decision, market, side, price, quantity, take } => {
                self.counts.orders += 1;
                let sql = "INSERT INTO orders (slot, order_id, decision, market, side, price, quantity, take, filled,
                           state, placed_seq, placed_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, 'open', $9, $10)";
                let query = sqlx::query(sql).bind(self.slot).bind(int(order.0)).bind(int(decision));
                let query = query.bind(i64::from(market.0)).bind(variant(&side)).bind(i64::from(price.units()));
                let query = query.bind(int(quantity.units())).bind(take).bind(place.seq).bind(place.at);
                query.execute(&mut *self.connection).await?;
            }
            Report::Refused { decision, market, side, price, quantity, reason } => {
                self.counts.refusals += 1;
                let sql =
                    "INSERT INTO refusals (slot, record, seq, at, decision, market, side, price, quantity, reason)
                           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
                let query = sqlx::query(sql).bind(self.slot).bind(place.record).bind(place.seq).bind(place.at);
                let query = query.bind(int(decision)).bind(i64::from(market.0)).bind(variant(&side));
                let query = query.bind(i64::from(price.units())).bind(int(quantity.units())).bind(variant(&reason));
                query.execute(&mut *self.connection).await?;
            }
            Report::Filled { order, market, side, price, quantity, fee, taker, position } => {
                self.counts.fills += 1;
                let sql =
                    "INSERT INTO fills (slot, record, seq, at, order_id, market, side, price, quantity, fee, taker,
                           position) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
                let query = sqlx::query(sql).bind(self.slot).bind(place.record).bind(place.seq).bind(place.at);
                let query = query.bind(int(order.0)).bind(i64::from(market.0)).bind(variant(&side));
                let query = query.bind(i64::from(price.units())).bind(int(quantity.units())).bind(fee.micros());
                query.bind(taker).bind(position).execute(&mut *self.connection).await?;
                let sql = "UPDATE orders SET filled = filled + $1,
                           state = CASE WHEN filled + $1 >= quantity THEN 'filled' ELSE state END,
                           ended_at = CASE WHEN filled + $1 >= quantity THEN $2 ELSE ended_at END
                           WHERE slot = $3 AND order_id = $4";
                let query = sqlx::query(sql).bind(int(quantity.units())).bind(place.at);
                query.bind(self.slot).bind(int(order.0)).execute(&mut *self.connection).await?;
                self.hold(market, position, paid(side, price, quantity), fee).await?;
            }
            Report::Cancelled { order, reason, .. } => {
                let sql = "UPDATE orders SET state = 'cancelled', reason = $1, ended_at = $2
                           WHERE slot = $3 AND order_id = $4";
                let query = sqlx::query(sql).bind(variant(&reason)).bind(place.at).bind(self.slot);
                query.bind(int(order.0)).execute(&mut *self.connection).await?;
            }
            Report::Settled { market, position, value, payout } => {
                self.settle(market, position, value, payout).await?;
            }
            // The position counts; there is no order of ours that it belongs to.
            Report::ForeignFill { market, side, price, quantity, fee, position } => {
                self.counts.foreign_fills += 1;
                let sql =
                    "INSERT INTO foreign_fills (slot, record, seq, at, market, side, price, quantity, fee, position)
                           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
                let query = sqlx::query(sql).bind(self.slot).bind(place.record).bind(place.seq).bind(place.at);
                let query = query.bind(i64::from(market.0)).bind(variant(&side)).bind(i64::from(price.units()));
                let query = query.bind(int(quantity.units())).bind(fee.micros()).bind(position);
                query.execute(&mut *self.connection).await?;
                self.hold(market, position, paid(side, price, quantity), fee).await?;
            }
            Report::Notice(ref notice) => {
                self.counts.notices += 1;
                let order = match notice {
                    Notice::Unknown { order, .. } | Notice::Refused { order, .. } => Some(int(order.0)),
                    _ => None,
                };
                let sql = "INSERT INTO notices (slot, record, seq, at, kind, order_id, text)
                           VALUES ($1, $2, $3, $4, $5, $6, $7)";
                let query = sqlx::query(sql).bind(self.slot).bind(place.record).bind(place.seq).bind(place.at);
                let query = query.bind(variant(notice)).bind(order).bind(notice.to_string());
                query.execute(&mut *self.connection).await?;
            }
            Report::Queued { order, ahead, .. } => {
                let sql = "INSERT INTO queue_positions (slot, record, seq, at, order_id, ahead)
                           VALUES ($1, $2, $3, $4, $5, $6)";
                let query = sqlx::query(sql).bind(self.slot).bind(place.record).bind(place.seq).bind(place.at);
                query.bind(int(order.0)).bind(int(ahead.units())).execute(&mut *self.connection).await?;
            }
            Report::Stopped { faults } => {
                let query = sqlx::query("UPDATE slots SET stopped_at = $1, faults = $2 WHERE slot = $3");
                let query = query.bind(place.at).bind(i64::from(faults)).bind(self.slot);
                query.execute(&mut *self.connection).await?;
            }
        }
        Ok(())
    }

    async fn hold(&mut self, market: MarketId, position: i64, paid: Money, fee: Money) -> Result<()> {
        let sql = "INSERT INTO positions (slot, market, position, paid, fees, fills, settled)
                   VALUES ($1, $2, $3, $4, $5, 1, 0)
                   ON CONFLICT (slot, market) DO UPDATE SET position = excluded.position,
                   paid = paid + excluded.paid, fees = fees + excluded.fees, fills = fills + 1";
        let query = sqlx::query(sql).bind(self.slot).bind(i64::from(market.0)).bind(position);
        query.bind(paid.micros()).bind(fee.micros()).execute(&mut *self.connection).await?;
        Ok(())
    }

    async fn settle(&mut self, market: MarketId, position: i64, value: Price, payout: Money) -> Result<()> {
        let settled = position * i64::from(value.units());
        let sql =
            "INSERT INTO positions (slot, market, position, paid, fees, fills, settled, settled_value, payout, profit)
                   VALUES ($1, $2, 0, 0, 0, 0, $3, $4, $5, $3)
                   ON CONFLICT (slot, market) DO UPDATE SET position = 0, settled = excluded.settled,
                   settled_value = excluded.settled_value, payout = excluded.payout,
                   profit = excluded.settled - paid - fees";
        let query = sqlx::query(sql).bind(self.slot).bind(i64::from(market.0)).bind(settled);
        let query = query.bind(i64::from(value.units())).bind(payout.micros());
        query.execute(&mut *self.connection).await?;
        Ok(())
    }
}

/// What a fill costs at YES prices: negative where YES is sold.
fn paid(side: Side, price: Price, quantity: Quantity) -> Money {
    let premium = price.times(quantity);
    match side {
        Side::Bid => premium,
        Side::Ask => -premium,
    }
}
