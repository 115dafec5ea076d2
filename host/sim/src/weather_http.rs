//! The weather of the simulation over the interfaces of the real services, below `/sim`: the National Weather Service
//! (`/sim/nws`), Open-Meteo (`/sim/open-meteo`) and Visual Crossing (`/sim/visual-crossing`).
//!
//! It owns how the rows of the scene look through each of them, and the faults of a server of weather. Nothing is told
//! before its time. What has no recording is made up from what has: a day's temperature is a curve to its high.

mod curve;
mod nws;
mod open_meteo;
mod visual_crossing;

use crate::server::Shared;
use crate::weather::Row;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures_util::stream;
use isobar_engine::units::Timestamp;
use jiff::civil::Date;
use serde::Deserialize;
use serde_json::{Value, json};
use std::hash::{DefaultHasher, Hasher};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Length of the body of a server that does not stop.
const HUGE: usize = 64 << 20;

/// The routes, with their own state.
pub(crate) fn router(shared: Arc<Shared>) -> Router {
    let world = Arc::new(World { shared, stations: stations(), faults: Mutex::default() });
    let services = Router::new()
        .route("/nws/stations/{station}/observations", get(nws::observations))
        .route("/nws/points/{place}", get(nws::point))
        .route("/nws/gridpoints/{office}/{place}", get(nws::grid))
        .route("/nws/products/types/CLI/locations/{id}", get(nws::reports))
        .route("/nws/products/{product}", get(nws::report))
        .route("/open-meteo/v1/forecast", get(open_meteo::forecast))
        .route(
            "/visual-crossing/VisualCrossingWebServices/rest/services/timeline/{place}/{from}/{to}",
            get(visual_crossing::timeline),
        )
        .layer(axum::middleware::from_fn_with_state(Arc::clone(&world), trouble));
    Router::new()
        .nest("/sim", services)
        .route("/sim/weather/fault", post(fault))
        .route("/sim/weather/heal", post(heal))
        .with_state(world)
}

/// What the handlers share.
struct World {
    shared: Arc<Shared>,
    stations: Vec<Station>,
    faults: Mutex<Vec<Pending>>,
}

/// What is known at one moment.
struct Known {
    now: Timestamp,
    rows: Vec<Row>,
}

impl World {
    fn known(&self) -> Known {
        let venue = self.shared.venue();
        Known { now: venue.now(), rows: venue.core.weather.clone() }
    }

    fn station(&self, is: impl Fn(&Station) -> bool) -> Option<&Station> {
        self.stations.iter().find(|station| is(station))
    }
}

impl Known {
    /// The rows of a station, the days of which the file of cities counts in standard time.
    fn of<'a>(&'a self, station: &'a Station) -> impl Iterator<Item = &'a Row> {
        self.rows.iter().filter(|row| station.series.strip_prefix("KXHIGH") == Some(row.city.as_str()))
    }

    fn day<'a>(&'a self, station: &'a Station, date: Date) -> Option<&'a Row> {
        self.of(station).find(|row| row.date == date)
    }
}

/// A row of `models/cities.toml`, as much as a server of weather needs.
#[derive(Clone, Debug, Deserialize)]
struct Station {
    series: String,
    station: String,
    report: String,
    standard_hours: i64,
    latitude: f64,
    longitude: f64,
}

impl Station {
    /// The station within a quarter of a degree.
    fn near(&self, latitude: f64, longitude: f64) -> bool {
        (self.latitude - latitude).abs() < 0.25 && (self.longitude - longitude).abs() < 0.25
    }

    fn begins(&self, date: Date) -> Timestamp {
        crate::listing::midnight(date, -self.standard_hours)
    }

    fn today(&self, now: Timestamp) -> Date {
        let days = now.plus(self.standard_hours * crate::listing::HOUR).0.div_euclid(24 * crate::listing::HOUR);
        Date::constant(1970, 1, 1) + jiff::Span::new().days(days)
    }

    /// The letters of its climate report.
    fn id(&self) -> &str {
        self.report.trim_start_matches("CLI")
    }
}

fn stations() -> Vec<Station> {
    #[derive(Deserialize)]
    struct Table {
        city: Vec<Station>,
    }
    let table: Table = toml::from_str(include_str!("../../../models/cities.toml")).expect("the table is tested");
    table.city
}

fn moment(at: Timestamp) -> String {
    crate::render::rfc3339(at.0.div_euclid(1_000_000_000))
}

/// A page with the mark by which it can be asked for again.
fn page(body: &Value, kind: &'static str) -> Response {
    let text = body.to_string();
    let mut hash = DefaultHasher::new();
    hash.write(text.as_bytes());
    let mark = HeaderValue::from_str(&format!("\"{:016x}\"", hash.finish())).expect("hexadecimal digits");
    ([(header::CONTENT_TYPE, HeaderValue::from_static(kind)), (header::ETAG, mark)], text).into_response()
}

/// The National Weather Service's way to say that there is no such thing.
fn unknown(what: &str) -> Response {
    (StatusCode::NOT_FOUND, Json(json!({"title": "Not Found", "status": 404, "detail": what}))).into_response()
}

/// What is wrong with the next answers of the weather services.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
enum Fault {
    /// Another status, and a page for people.
    Status { status: u16 },
    /// Nothing for so long.
    Slow { millis: u64 },
    /// Status 200 and something else than JSON.
    Garbage,
    /// Half of the JSON, as if that were all.
    Truncated,
    /// Half of the answer, and the connection breaks.
    Partial,
    /// A body that does not end before 64 MB.
    Huge,
}

/// A fault, how many answers it is for, and the addresses that it is for.
#[derive(Clone, Debug, Deserialize)]
struct Pending {
    #[serde(flatten)]
    fault: Fault,
    times: u32,
    #[serde(default)]
    path: String,
}

async fn fault(State(world): State<Arc<World>>, Json(pending): Json<Pending>) -> Json<Value> {
    world.faults.lock().unwrap_or_else(PoisonError::into_inner).push(pending);
    Json(json!({}))
}

/// No answer is spoiled any more.
async fn heal(State(world): State<Arc<World>>) -> Json<Value> {
    world.faults.lock().unwrap_or_else(PoisonError::into_inner).clear();
    Json(json!({}))
}

/// Lets an answer through, or spoils it; then looks whether the client has the page already.
async fn trouble(State(world): State<Arc<World>>, request: Request, next: Next) -> Response {
    let spoiled = {
        let mut faults = world.faults.lock().unwrap_or_else(PoisonError::into_inner);
        let found = faults.iter_mut().find(|pending| request.uri().path().contains(&pending.path));
        let found = found.map(|pending| {
            pending.times = pending.times.saturating_sub(1);
            pending.fault.clone()
        });
        faults.retain(|pending| pending.times > 0);
        found
    };
    let has = request.headers().get(header::IF_NONE_MATCH).cloned();
    let answer = next.run(request).await;
    let Some(fault) = spoiled else {
        let same = has.is_some() && answer.headers().get(header::ETAG) == has.as_ref();
        return if same { StatusCode::NOT_MODIFIED.into_response() } else { answer };
    };
    let half = async |answer: Response| {
        let whole = axum::body::to_bytes(answer.into_body(), HUGE).await.unwrap_or_default();
        whole.slice(..whole.len() / 2)
    };
    match fault {
        Fault::Status { status } => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            (status, "<html><body>Sorry.</body></html>").into_response()
        }
        Fault::Slow { millis } => {
            tokio::time::sleep(Duration::from_millis(millis)).await;
            answer
        }
        Fault::Garbage => "<html><body>Scheduled maintenance</body></html>".into_response(),
        Fault::Truncated => Body::from(half(answer).await).into_response(),
        Fault::Partial => {
            let part = half(answer).await;
            let broken = stream::iter([Ok(part), Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset))]);
            Body::from_stream(broken).into_response()
        }
        Fault::Huge => {
            let block = Bytes::from(vec![b' '; 1 << 20]);
            let blocks = stream::iter((0..HUGE >> 20).map(move |_| Ok::<_, std::io::Error>(block.clone())));
            Body::from_stream(blocks).into_response()
        }
    }
}
