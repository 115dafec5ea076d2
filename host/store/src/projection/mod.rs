//! The SQL projection of a run (SQLite, WAL): derived from the journals, deletable, rebuilt on demand.
//!
//! How far each journal was read is stored in the same transaction as the rows made from it, so an update that is
//! interrupted goes on without a gap or a repetition. Nothing in the trading path asks it anything.

mod bulk;
mod feed;
mod slot;

#[cfg(test)]
mod tests;

use crate::error::{Error, Result};
use crate::journal::Position;
use crate::run::Run;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteRow, SqliteSynchronous};
use sqlx::{Connection, Row, SqlSafeStr, SqliteConnection};
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

/// A transaction is committed at the next place between blocks once it has this many rows.
const BATCH: usize = 20_000;

/// What one update read and wrote.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counts {
    /// Inputs read from the feed journal.
    pub inputs: u64,
    /// Records read from slot journals.
    pub records: u64,
    /// Forecasts.
    pub forecasts: u64,
    /// Swaps of a component.
    pub swaps: u64,
    /// Decisions.
    pub decisions: u64,
    /// Orders placed.
    pub orders: u64,
    /// Fills.
    pub fills: u64,
    /// Fills of orders that the slot did not place.
    pub foreign_fills: u64,
    /// What people who watch the slot were told.
    pub notices: u64,
    /// Intents and components that were refused.
    pub refusals: u64,
}

/// Writes the projection from nothing. Doing it again gives the same tables.
///
/// Errors: those of the journals ([`Error::Corrupt`]: what is before the damage is in the projection), [`Error::Sql`].
pub fn rebuild(run: &Run) -> Result<Counts> {
    let database = run.database();
    for suffix in ["", "-wal", "-shm"] {
        let mut path = database.clone().into_os_string();
        path.push(suffix);
        let path = PathBuf::from(path);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(Error::io(&path)(error)),
            _ => {}
        }
    }
    update(run)
}

/// Brings the projection up to the current end of the journals, from where the last update stopped.
pub fn update(run: &Run) -> Result<Counts> {
    // A thread of its own, so that it may be called inside a runtime.
    std::thread::scope(|scope| {
        let worker = scope.spawn(|| {
            let mut projection = Projection::open(run.clone())?;
            let counts = projection.update()?;
            projection.close()?;
            Ok(counts)
        });
        worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Keeps a projection up to date on a thread of its own while a run goes on.
pub struct Projector {
    stop: mpsc::Sender<()>,
    thread: JoinHandle<Result<()>>,
}

impl Projector {
    /// Starts the thread, which updates every `interval` and ends at the first error.
    pub fn start(run: Run, interval: Duration) -> Result<Self> {
        let (stop, stopped) = mpsc::channel();
        let folder = run.folder().to_owned();
        let work = move || {
            let result = keep_up(run, interval, &stopped);
            if let Err(error) = &result {
                tracing::error!(%error, "the projection stopped; it can be rebuilt from the journals");
            }
            result
        };
        let thread = std::thread::Builder::new().name("projection".to_owned()).spawn(work);
        Ok(Self { stop, thread: thread.map_err(Error::io(&folder))? })
    }

    /// Updates once more and ends. Returns the error that ended it before, where there was one.
    pub fn stop(self) -> Result<()> {
        // The thread may have ended with an error, which its result tells.
        let _ = self.stop.send(());
        self.thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

fn keep_up(run: Run, interval: Duration, stopped: &mpsc::Receiver<()>) -> Result<()> {
    let mut projection = Projection::open(run)?;
    while stopped.recv_timeout(interval) == Err(mpsc::RecvTimeoutError::Timeout) {
        projection.update()?;
    }
    projection.update()?;
    projection.close()
}

/// An open projection with the small runtime that drives it.
struct Projection {
    runtime: tokio::runtime::Runtime,
    connection: SqliteConnection,
    run: Run,
}

impl Projection {
    fn open(run: Run) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(Error::io(run.folder()))?;
        let connection = runtime.block_on(connect(&run))?;
        Ok(Self { runtime, connection, run })
    }

    fn update(&mut self) -> Result<Counts> {
        self.runtime.block_on(async {
            let mut counts = Counts::default();
            feed::project(&mut self.connection, &self.run, &mut counts).await?;
            for slot in self.run.slots()? {
                slot::project(&mut self.connection, &self.run, &slot, &mut counts).await?;
            }
            Ok(counts)
        })
    }

    /// Moves everything into the one file and closes it.
    fn close(self) -> Result<()> {
        Ok(self.runtime.block_on(self.connection.close())?)
    }
}

async fn connect(run: &Run) -> Result<SqliteConnection> {
    let options = SqliteConnectOptions::new()
        .filename(run.database())
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Normal)
        .busy_timeout(Duration::from_secs(10));
    let mut connection = SqliteConnection::connect_with(&options).await?;
    migrator().run_direct(None, &mut connection, false).await?;
    Ok(connection)
}

/// The migrations of `migrations/sqlite`, embedded.
fn migrator() -> sqlx::migrate::Migrator {
    use sqlx::migrate::{Migration, MigrationType, Migrator};
    let files = [
        ("projection", include_str!("../../../../migrations/sqlite/0001_projection.sql")),
        ("notices", include_str!("../../../../migrations/sqlite/0002_notices.sql")),
        ("queue_positions", include_str!("../../../../migrations/sqlite/0003_queue_positions.sql")),
    ];
    let migrations = (1..).zip(files).map(|(version, (name, sql))| {
        Migration::new(version, name.into(), MigrationType::Simple, sql.into_sql_str(), false)
    });
    Migrator::with_migrations(migrations.collect())
}

/// How far a journal was read.
async fn position(connection: &mut SqliteConnection, journal: &str) -> Result<Position> {
    let query = sqlx::query("SELECT segment, offset, record, chain FROM journals WHERE journal = $1").bind(journal);
    let Some(row) = query.fetch_optional(connection).await? else { return Ok(Position::default()) };
    let chain: Vec<u8> = row.try_get(3)?;
    let chain = chain.try_into().map_err(|_| sqlx::Error::Decode("a chain that is not 32 bytes".into()))?;
    Ok(Position { segment: unsigned(&row, 0)?, offset: unsigned(&row, 1)?, record: unsigned(&row, 2)?, chain })
}

async fn save_position(connection: &mut SqliteConnection, journal: &str, position: Position) -> Result<()> {
    sqlx::query(
        "INSERT OR REPLACE INTO journals (journal, segment, offset, record, chain) VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(journal)
    .bind(int(position.segment))
    .bind(int(position.offset))
    .bind(int(position.record))
    .bind(position.chain.to_vec())
    .execute(connection)
    .await?;
    Ok(())
}

fn unsigned(row: &SqliteRow, column: usize) -> Result<u64> {
    let value: i64 = row.try_get(column)?;
    Ok(u64::try_from(value).map_err(|error| sqlx::Error::Decode(error.into()))?)
}

/// SQLite's integers are signed.
fn int(value: u64) -> i64 {
    i64::try_from(value).expect("numbers of records, contracts and nanoseconds stay below 2^63")
}

/// The name of a variant in SQL's spelling, without its content: `StaleBook` as `stale_book`.
fn variant(value: &impl serde::Serialize) -> String {
    let name = match serde_json::to_value(value) {
        Ok(serde_json::Value::String(name)) => Some(name),
        Ok(serde_json::Value::Object(content)) => content.into_iter().next().map(|(name, _)| name),
        _ => None,
    };
    let name = name.expect("only called on variants, which are written by their names");
    let mut words = String::with_capacity(name.len() + 4);
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !words.is_empty() {
            words.push('_');
        }
        words.push(letter.to_ascii_lowercase());
    }
    words
}
