//! Rows made from the feed journal: the run, its markets, forecasts and settlements. Frames are passed over: what they
//! mean is the venue's protocol core's to say.

use super::{Counts, int, position, save_position};
use crate::error::Result;
use crate::feed::FeedRecord;
use crate::run::Run;
use isobar_engine::event::{Forecast, Input, Opening};
use isobar_engine::market::{Market, Strike};
use isobar_engine::opinion::Role;
use isobar_engine::units::Timestamp;
use sqlx::{Connection, SqliteConnection};

/// Projects what the feed journal gained since the last time, in one transaction.
pub(super) async fn project(connection: &mut SqliteConnection, run: &Run, counts: &mut Counts) -> Result<()> {
    let from = position(connection, "feed").await?;
    let mut reader = run.resume_feed(from)?;
    let mut transaction = connection.begin().await?;
    while let Some(record) = reader.next()? {
        counts.inputs += 1;
        if !matches!(record.input, Input::Frame { .. } | Input::Tick) {
            apply(&mut transaction, &record, counts).await?;
        }
    }
    if reader.position() != from {
        save_position(&mut transaction, "feed", reader.position()).await?;
        transaction.commit().await?;
    }
    Ok(())
}

async fn apply(connection: &mut SqliteConnection, record: &FeedRecord<'_>, counts: &mut Counts) -> Result<()> {
    match &record.input {
        Input::Opening(opening) => open_run(connection, record.at, opening).await,
        Input::Listed(markets) => list(connection, markets).await,
        Input::Forecast(forecast) => {
            counts.forecasts += 1;
            insert_forecast(connection, record, forecast).await
        }
        Input::Opinion(opinion) if opinion.role == Role::Traded => {
            counts.forecasts += 1;
            insert_forecast(connection, record, &opinion.forecast).await
        }
        Input::Settled { market, value } => {
            sqlx::query("UPDATE markets SET settled_value = $1, settled_at = $2 WHERE market = $3")
                .bind(i64::from(value.units()))
                .bind(record.at.0)
                .bind(i64::from(market.0))
                .execute(connection)
                .await?;
            Ok(())
        }
        Input::Closing => {
            sqlx::query("UPDATE runs SET closed_at = $1").bind(record.at.0).execute(connection).await?;
            Ok(())
        }
        _ => Ok(()),
    }
}

async fn open_run(connection: &mut SqliteConnection, at: Timestamp, opening: &Opening) -> Result<()> {
    // A run that was stopped and continued opens again: its first opening counts, its closing does not.
    let sql = "INSERT INTO runs (run, engine, clock, stale_after, source, opened_at) VALUES ($1, $2, $3, $4, $5, $6)
               ON CONFLICT (run) DO UPDATE SET engine = excluded.engine, closed_at = NULL";
    sqlx::query(sql)
        .bind(opening.run.clone())
        .bind(opening.engine.clone())
        .bind(opening.clock.clone())
        .bind(opening.stale_after)
        .bind(opening.source.clone())
        .bind(at.0)
        .execute(connection)
        .await?;
    Ok(())
}

async fn list(connection: &mut SqliteConnection, markets: &[Market]) -> Result<()> {
    let sql = "INSERT INTO markets (market, ticker, event, series, strike, floor, cap, opens, closes)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
               ON CONFLICT (market) DO UPDATE SET ticker = excluded.ticker, event = excluded.event,
               series = excluded.series, strike = excluded.strike, floor = excluded.floor, cap = excluded.cap,
               opens = excluded.opens, closes = excluded.closes";
    for market in markets {
        let (strike, floor, cap) = match market.strike {
            Strike::Less { cap } => ("less", None, Some(cap)),
            Strike::Between { floor, cap } => ("between", Some(floor), Some(cap)),
            Strike::Greater { floor } => ("greater", Some(floor), None),
            Strike::Other => ("other", None, None),
        };
        sqlx::query(sql)
            .bind(i64::from(market.id.0))
            .bind(market.ticker.clone())
            .bind(market.event.clone())
            .bind(market.series.clone())
            .bind(strike)
            .bind(floor)
            .bind(cap)
            .bind(market.opens.0)
            .bind(market.closes.0)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

async fn insert_forecast(
    connection: &mut SqliteConnection,
    record: &FeedRecord<'_>,
    forecast: &Forecast,
) -> Result<()> {
    sqlx::query(
        "INSERT INTO forecasts (seq, at, event, model, issued, inputs, no_opinion) VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(int(record.seq))
    .bind(record.at.0)
    .bind(forecast.event.clone())
    .bind(forecast.model.to_string())
    .bind(forecast.issued.0)
    .bind(forecast.inputs.to_string())
    .bind(forecast.outcome.as_ref().err().cloned())
    .execute(&mut *connection)
    .await?;
    for (market, probability) in forecast.outcome.iter().flatten() {
        sqlx::query("INSERT INTO forecast_probabilities (seq, market, ppm) VALUES ($1, $2, $3)")
            .bind(int(record.seq))
            .bind(i64::from(market.0))
            .bind(i64::from(probability.ppm()))
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}
