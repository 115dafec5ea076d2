//! Daily climate reports of the National Weather Service: `GET {base}/products/types/CLI/locations/{id}` lists them,
//! `GET {base}/products/{product}` has the text.
//!
//! A product never changes, so each text is read once. What it means is in [`crate::ClimateReport`].

use super::Answer;
use crate::quality::Dropped;
use crate::transport::{Now, Patience, Request, Transport};
use crate::{City, ClimateReport, Error, ReportedHigh, Weather};
use isobar_engine::units::Timestamp;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Climate reports of the settlement stations.
#[derive(Debug)]
pub struct ClimateReports {
    transport: Transport,
    base: String,
    cities: Vec<City>,
    /// How many of the newest products of a city are read.
    newest: usize,
    /// What each product said; nothing where it was no report of a high.
    read: BTreeMap<City, BTreeMap<String, Option<ReportedHigh>>>,
}

#[derive(Deserialize)]
struct Listing {
    #[serde(rename = "@graph")]
    graph: Vec<Product>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Product {
    id: String,
    issuance_time: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Text {
    product_text: String,
}

impl ClimateReports {
    /// The `newest` reports of each of `cities` from `base`, for example `https://api.weather.gov`. A station issues two
    /// or three a day.
    pub fn new(client: reqwest::Client, base: &str, cities: &[City], newest: usize, patience: Patience) -> Self {
        let base = base.trim_end_matches('/').to_owned();
        let transport = Transport::new(client, patience);
        Self { transport, base, cities: cities.to_vec(), newest, read: BTreeMap::new() }
    }

    pub(super) async fn fetch(&mut self, now: Now<'_>) -> Result<Answer, Error> {
        let mut answer = Answer::default();
        for city in self.cities.clone() {
            let outcome = self.of_city(city, now).await;
            answer.take(city, outcome);
        }
        answer.or_error()
    }

    async fn of_city(&mut self, city: City, now: Now<'_>) -> Result<(Weather, Dropped), Error> {
        let id = city.report().trim_start_matches("CLI");
        let url = format!("{}/products/types/CLI/locations/{id}", self.base);
        let page = self.transport.get(Request::new(&url, &[]), now).await?;
        let products = listed(&page.body, self.newest).map_err(|reason| Error::Invalid { origin: url, reason })?;
        let mut known = self.read.remove(&city).unwrap_or_default();
        known.retain(|product, _| products.contains(product));
        for product in &products {
            if !known.contains_key(product) {
                let text = self.text(product, now).await;
                let high = text.map(|(text, received)| meaning(&text, city, received));
                match high {
                    Ok(high) => known.insert(product.clone(), high),
                    // What was read before is kept for the next round; this one says nothing about the city.
                    Err(error) => {
                        self.read.insert(city, known);
                        return Err(error);
                    }
                };
            }
        }
        let reports: Vec<ReportedHigh> = known.values().flatten().cloned().collect();
        let dropped = Dropped((known.len() - reports.len()) as u64);
        self.read.insert(city, known);
        Ok((Weather { reports, ..Weather::default() }, dropped))
    }

    async fn text(&mut self, product: &str, now: Now<'_>) -> Result<(String, Timestamp), Error> {
        let url = format!("{}/products/{product}", self.base);
        let page = self.transport.get(Request::new(&url, &[]), now).await?;
        let text: Text = serde_json::from_slice(&page.body)
            .map_err(|error| Error::Invalid { origin: url, reason: error.to_string() })?;
        Ok((text.product_text, page.confirmed))
    }
}

/// The newest products of a listing, newest first.
fn listed(body: &[u8], newest: usize) -> Result<Vec<String>, String> {
    let mut products = serde_json::from_slice::<Listing>(body).map_err(|error| error.to_string())?.graph;
    if products.iter().any(|product| !product.id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')) {
        return Err("a product's name is not letters, digits and hyphens".to_owned());
    }
    products.sort_by(|a, b| b.issuance_time.cmp(&a.issuance_time));
    Ok(products.into_iter().take(newest).map(|product| product.id).collect())
}

/// The high of a text; nothing where it is no report, one of another station, or without a high.
fn meaning(text: &str, city: City, received: Timestamp) -> Option<ReportedHigh> {
    let report = ClimateReport::parse(text);
    if let Err(reason) = &report {
        tracing::warn!(%city, %reason, "a climate report cannot be read");
    }
    report.ok()?.reported_high(received).filter(|high| high.city == city)
}
