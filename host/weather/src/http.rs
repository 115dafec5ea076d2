//! Weather over HTTP: `GET {base}/sim/weather` of the simulated exchange.

use crate::day::plausible;
use crate::{City, DailyWeather, Error};
use isobar_engine::units::Timestamp;
use jiff::civil::Date;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// More than any history of six cities needs; a longer answer is refused.
const MOST_BYTES: usize = 16 << 20;
/// First pause between two tries; it doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// One element of the answer.
#[derive(Deserialize)]
struct Row {
    city: String,
    date: String,
    forecast_high_f: BTreeMap<String, f64>,
    published: String,
    observed_high_f: Option<f64>,
    observed_published: Option<String>,
}

impl Row {
    /// Nothing for a city that is not ours.
    fn into_day(self) -> Result<Option<DailyWeather>, String> {
        let Some(city) = City::from_code(&self.city) else { return Ok(None) };
        let date: Date = self.date.parse().map_err(|e| format!("{city} {}: {e}", self.date))?;
        let observed_high_f = match (self.observed_high_f, self.observed_published) {
            (Some(high), Some(at)) => Some((high, timestamp(&at)?)),
            (None, None) => None,
            _ => return Err(format!("{city} {date}: an observed high needs its time, and a time its high")),
        };
        let temperatures = self.forecast_high_f.values().copied().chain(self.observed_high_f);
        if let Some(wrong) = temperatures.into_iter().find(|value| !plausible(*value)) {
            return Err(format!("{city} {date}: {wrong} is no temperature"));
        }
        let (published, forecast_high_f) = (timestamp(&self.published)?, self.forecast_high_f);
        Ok(Some(DailyWeather { city, date, forecast_high_f, published, observed_high_f }))
    }
}

fn timestamp(text: &str) -> Result<Timestamp, String> {
    let at: jiff::Timestamp = text.parse().map_err(|e| format!("{text:?}: {e}"))?;
    i64::try_from(at.as_nanosecond()).map(Timestamp).map_err(|_| format!("{at} is out of range"))
}

/// A place to ask for weather.
#[derive(Clone, Debug)]
pub struct Source {
    client: reqwest::Client,
    url: String,
    deadline: Duration,
}

/// How one try ended without weather.
enum Miss {
    /// Another try may do better.
    Again(String),
    /// It will not.
    Never(String),
}

impl Source {
    /// The simulated exchange at `base`, for example `http://127.0.0.1:8080`. One [`Self::fetch`] takes at most
    /// `deadline`, tries and pauses together.
    pub fn new(client: reqwest::Client, base: &str, deadline: Duration) -> Self {
        Self { client, url: format!("{}/sim/weather", base.trim_end_matches('/')), deadline }
    }

    /// All that the source has published, in its order. A failed connection and an answer of the kind "try later" are
    /// tried again until the deadline.
    ///
    /// # Errors
    /// [`Error::Unavailable`] at the deadline, [`Error::Invalid`] where the answer makes no sense.
    pub async fn fetch(&self) -> Result<Vec<DailyWeather>, Error> {
        let mut last = "no answer".to_owned();
        let tries = async {
            let mut pause = FIRST_PAUSE;
            loop {
                match self.once().await {
                    Ok(days) => return Ok(days),
                    Err(Miss::Never(reason)) => return Err(Error::Invalid { origin: self.url.clone(), reason }),
                    Err(Miss::Again(reason)) => {
                        tracing::debug!(url = %self.url, %reason, "no weather yet");
                        last = reason;
                    }
                }
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        };
        let result = tokio::time::timeout(self.deadline, tries).await;
        result.unwrap_or_else(|_| Err(Error::Unavailable { url: self.url.clone(), last }))
    }

    async fn once(&self) -> Result<Vec<DailyWeather>, Miss> {
        let again = |error: reqwest::Error| Miss::Again(error.to_string());
        let mut response = self.client.get(&self.url).send().await.map_err(again)?;
        let status = response.status();
        if !status.is_success() {
            let later = status.is_server_error() || matches!(status.as_u16(), 408 | 429);
            let reason = format!("status {status}");
            return Err(if later { Miss::Again(reason) } else { Miss::Never(reason) });
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(again)? {
            if body.len() + chunk.len() > MOST_BYTES {
                return Err(Miss::Never(format!("more than {MOST_BYTES} bytes")));
            }
            body.extend_from_slice(&chunk);
        }
        parse(&body).map_err(Miss::Never)
    }
}

fn parse(body: &[u8]) -> Result<Vec<DailyWeather>, String> {
    let rows: Vec<Row> = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    rows.into_iter().filter_map(|row| row.into_day().transpose()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    const ROWS: &str = r#"[
        {"city":"CHI","date":"2026-07-01","forecast_high_f":{"gfs":88.1,"icon":87.4},"published":"2026-07-01T06:00:00Z",
         "observed_high_f":null,"observed_published":null},
        {"city":"XX","date":"2026-07-01","forecast_high_f":{},"published":"2026-07-01T06:00:00Z",
         "observed_high_f":null,"observed_published":null},
        {"city":"PHIL","date":"2026-06-30","forecast_high_f":{"gfs":90},"published":"2026-06-30T06:00:00Z",
         "observed_high_f":87,"observed_published":"2026-07-01T10:00:00Z"}]"#;

    /// Answers one connection after the other with these, then with the last one for ever.
    async fn serve(answers: Vec<(&'static str, &'static str)>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let base = format!("http://{}/", listener.local_addr().expect("an address"));
        tokio::spawn(async move {
            let mut at = 0;
            loop {
                let (mut socket, _) = listener.accept().await.expect("a connection");
                let (status, body) = answers[at.min(answers.len() - 1)];
                at += 1;
                let _ = socket.read(&mut [0; 4096]).await;
                let length = body.len();
                let text = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
                let _ = socket.write_all(text.as_bytes()).await;
            }
        });
        base
    }

    async fn fetch(answers: Vec<(&'static str, &'static str)>) -> Result<Vec<DailyWeather>, Error> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let base = serve(answers).await;
        Source::new(reqwest::Client::new(), &base, Duration::from_millis(700)).fetch().await
    }

    #[tokio::test]
    async fn what_cannot_be_had_now_is_asked_for_again() {
        let days = fetch(vec![("503 Later", ""), ("429 Slow", ""), ("200 OK", ROWS)]).await.expect("the third answer");
        assert_eq!(days.len(), 2, "a city that nobody knows is left out");
        assert_eq!(days[0].forecast_high_f["icon"], 87.4);
        assert_eq!(days[0].observed_high_f, None);
        let (high, at) = days[1].observed_high_f.expect("observed");
        assert_eq!((high, at.since(days[1].published)), (87.0, 28 * 3_600_000_000_000));
    }

    #[tokio::test]
    async fn the_deadline_ends_the_tries_and_names_the_last() {
        let error = fetch(vec![("503 Later", "")]).await.expect_err("never available");
        assert!(matches!(&error, Error::Unavailable { last, .. } if last.contains("503")), "{error}");
    }

    #[tokio::test]
    async fn what_asking_again_will_not_change_is_refused_at_once() {
        let half = r#"[{"city":"CHI","date":"2026-07-01","forecast_high_f":{},"published":"2026-07-01T06:00:00Z",
            "observed_high_f":87,"observed_published":null}]"#;
        let hot = r#"[{"city":"CHI","date":"2026-07-01","forecast_high_f":{"gfs":880},
            "published":"2026-07-01T06:00:00Z","observed_high_f":null,"observed_published":null}]"#;
        let cases =
            [("404 Gone", "", "404"), ("200 OK", "[", "EOF"), ("200 OK", half, "needs"), ("200 OK", hot, "880")];
        for (status, body, word) in cases {
            // A second answer that would be fine shows that nobody asked for it.
            let error = fetch(vec![(status, body), ("200 OK", ROWS)]).await.expect_err("refused");
            assert!(matches!(&error, Error::Invalid { reason, .. } if reason.contains(word)), "{error}");
        }
    }
}
