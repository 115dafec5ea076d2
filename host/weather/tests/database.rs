//! The guide's tables in a real PostgreSQL, which the test starts and ends. Skipped, with a message, where none is installed.

use isobar_engine::units::{SECOND, Timestamp};
use isobar_weather::{Database, Error, Provider, Queries, Secret, SourceId};
use sqlx::Connection;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// A server of its own in a folder of its own.
struct Server {
    programs: PathBuf,
    folder: tempfile::TempDir,
    port: u16,
}

/// The folder of `initdb`: on the path, or where Debian puts it.
fn programs() -> Option<PathBuf> {
    let on_path = std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect::<Vec<_>>());
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let debian = versions.map(|version| version.path().join("bin"));
    on_path.into_iter().flatten().chain(debian).find(|folder| folder.join("initdb").is_file())
}

/// The program as a user that PostgreSQL accepts: it refuses to run as root.
fn run(program: &Path, arguments: &[&str]) -> bool {
    let root = Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout.starts_with(b"0\n"));
    let mut command = if root { Command::new("runuser") } else { Command::new(program) };
    if root {
        command.args(["-u", "nobody", "--"]).arg(program);
    }
    let status = command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

impl Server {
    fn start() -> Option<Self> {
        let programs = programs()?;
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777)).expect("ours");
        let path = folder.path().to_str().expect("a plain name").to_owned();
        let data = format!("{path}/data");
        let port =
            std::net::TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port").port();
        let made = run(&programs.join("initdb"), &["-D", &data, "-U", "postgres", "-A", "trust", "--no-sync"]);
        let options = format!("-p {port} -k {path} -c fsync=off -c listen_addresses=127.0.0.1");
        let log = format!("{path}/log");
        let started = made && run(&programs.join("pg_ctl"), &["-D", &data, "-w", "-l", &log, "-o", &options, "start"]);
        started.then_some(Self { programs, folder, port })
    }

    fn address(&self) -> String {
        // The password is not asked for, and must not be seen anywhere.
        format!("postgres://postgres:s3cret-word@127.0.0.1:{}/postgres", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let data = self.folder.path().join("data");
        let data = data.to_str().expect("a plain name");
        run(&self.programs.join("pg_ctl"), &["-D", data, "-m", "immediate", "-w", "stop"]);
        run(Path::new("/bin/rm"), &["-rf", data]);
    }
}

/// The columns of the guide's tables that are read, and some that are not.
const TABLES: &str = "
    CREATE SCHEMA wx;
    CREATE TABLE wx.vc_location (id int PRIMARY KEY, city_code text NOT NULL, kalshi_code text NOT NULL,
        location_type text NOT NULL, station_id text);
    CREATE TABLE wx.vc_minute_weather (id serial PRIMARY KEY, vc_location_id int NOT NULL REFERENCES wx.vc_location,
        data_type text NOT NULL, datetime_epoch_utc bigint NOT NULL, temp_f double precision, humidity double precision,
        windspeed_mph double precision, cloudcover double precision, pressure_mb double precision,
        is_forward_filled boolean NOT NULL DEFAULT false, created_at timestamptz NOT NULL DEFAULT now());
    CREATE TABLE wx.vc_forecast_daily (id serial PRIMARY KEY, vc_location_id int NOT NULL REFERENCES wx.vc_location,
        data_type text NOT NULL, forecast_basis_datetime_utc timestamptz, target_date date NOT NULL,
        tempmax_f double precision, created_at timestamptz NOT NULL DEFAULT now());
    INSERT INTO wx.vc_location VALUES (1, 'CHI', 'CHI', 'station', 'KMDW'), (2, 'CHI', 'CHI', 'city', NULL),
        (3, 'PHL', 'PHIL', 'station', 'KPHL'), (4, 'XXX', 'XXX', 'station', 'KXXX');
    INSERT INTO wx.vc_minute_weather (vc_location_id, data_type, datetime_epoch_utc, temp_f, humidity, windspeed_mph,
        cloudcover, pressure_mb, is_forward_filled, created_at)
    SELECT place, kind, EXTRACT(EPOCH FROM event::timestamptz)::bigint, f, 50, 8, 20, 1013, filled, made::timestamptz
    FROM (VALUES
        (1, 'actual_obs', '2026-07-01T17:00:00Z', 84.5, false, '2026-07-01T17:02:00Z'),
        (1, 'actual_obs', '2026-07-01T17:05:00Z', 84.5, true, '2026-07-01T17:07:00Z'),
        (1, 'forecast', '2026-07-01T20:00:00Z', 88.0, false, '2026-07-01T17:00:00Z'),
        (2, 'actual_obs', '2026-07-01T17:00:00Z', 86.0, false, '2026-07-01T17:02:00Z'),
        (3, 'current_snapshot', '2026-07-01T17:10:00Z', 951.0, false, '2026-07-01T17:11:00Z'),
        (4, 'actual_obs', '2026-07-01T17:00:00Z', 70.0, false, '2026-07-01T17:02:00Z'),
        (1, 'actual_obs', '2026-07-01T18:00:00Z', 86.0, false, '2026-07-01T18:02:00Z'),
        (1, 'actual_obs', '2026-06-20T18:00:00Z', 80.0, false, '2026-06-20T18:02:00Z')
    ) AS rows (place, kind, event, f, filled, made);
    INSERT INTO wx.vc_forecast_daily (vc_location_id, data_type, forecast_basis_datetime_utc, target_date, tempmax_f, created_at)
    VALUES (1, 'forecast', '2026-07-01T11:00:00Z', '2026-07-01', 88.4, '2026-07-01T12:00:00Z'),
        (1, 'forecast', NULL, '2026-07-02', 90.1, '2026-07-01T12:00:00Z'),
        (1, 'forecast', NULL, '2026-07-01', 89.0, '2026-07-01T18:00:00Z'),
        (1, 'historical_forecast', NULL, '2026-07-01', 60.0, '2026-07-01T12:00:00Z'),
        (2, 'forecast', NULL, '2026-07-01', 91.0, '2026-07-01T12:00:00Z');";

fn utc(text: &str) -> Timestamp {
    Timestamp(text.parse::<jiff::Timestamp>().expect("a time").as_second() * SECOND)
}

#[tokio::test]
async fn a_database_tells_what_was_written_until_now_and_its_failures_tell_no_password() {
    let Some(server) = Server::start() else {
        eprintln!("skipped: no PostgreSQL is installed, or it does not start");
        return;
    };
    let mut connection = sqlx::PgConnection::connect(&server.address()).await.expect("a connection");
    sqlx::raw_sql(TABLES).execute(&mut connection).await.expect("tables");

    let address = Secret::new(&server.address());
    let open = |queries: Queries| {
        let database = Database::new(&address, queries, 48 * 3_600 * SECOND, Duration::from_secs(3));
        Provider::Database(Box::new(database.expect("an address")))
    };
    let mut database = open(Queries::default());
    let at = utc("2026-07-01T17:30:00Z");
    let answer = database.fetch(&|| at).await.expect("an answer");
    let seen: Vec<_> =
        answer.weather.observations.iter().map(|o| (o.city.code(), o.temperature_f, o.humidity_pct)).collect();
    assert_eq!(seen, [("PHIL", None, Some(50.0)), ("CHI", Some(84.5), Some(50.0))], "951 °F is no temperature");
    assert_eq!(answer.dropped.0, 2, "and one city is not ours");
    let seen = answer.weather.observations.last().expect("Chicago");
    assert_eq!((seen.stamps.event, seen.stamps.received), (utc("2026-07-01T17:00:00Z"), utc("2026-07-01T17:02:00Z")));
    let told: Vec<_> = answer.weather.forecasts.iter().map(|f| (f.date.day(), f.high_f, f.source)).collect();
    assert_eq!(told, [(1, 88.4, SourceId::Database), (2, 90.1, SourceId::Database)]);
    assert_eq!(answer.weather.forecasts[0].stamps.published, utc("2026-07-01T11:00:00Z"));

    let later = utc("2026-07-01T18:30:00Z");
    let answer = database.fetch(&|| later).await.expect("an answer");
    assert_eq!((answer.weather.observations.len(), answer.weather.forecasts.len()), (3, 3), "what was written since");

    let wrong = Queries {
        forecasts: "SELECT 1 AS city WHERE $1 = '' AND $2 = 0 AND nonsense".to_owned(),
        ..Queries::default()
    };
    let error = open(wrong).fetch(&|| at).await.expect_err("no such column");
    assert!(matches!(&error, Error::Invalid { reason, .. } if reason.contains("nonsense")), "{error}");
    assert!(!format!("{error} {error:?}").contains("s3cret"), "{error}");

    let mut gone = open(Queries::default());
    drop(connection);
    drop(server);
    let error = gone.fetch(&|| at).await.expect_err("the server is gone");
    assert!(matches!(&error, Error::Unavailable { .. }), "{error}");
    let error = database.fetch(&|| at).await.expect_err("a connection that was open is no better");
    assert!(matches!(&error, Error::Unavailable { .. }), "{error}");
    for text in [format!("{error} {error:?}"), format!("{gone:?}"), format!("{address:?}")] {
        assert!(!text.contains("s3cret"), "{text}");
    }
}

#[test]
fn an_address_that_is_none_is_refused_without_being_repeated() {
    let error = Database::new(&Secret::new("s3cret-word"), Queries::default(), 0, Duration::from_secs(1));
    let error = error.expect_err("no address");
    assert!(!error.to_string().contains("s3cret"), "{error}");
}
