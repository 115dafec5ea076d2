//! `isobar sim` beside a test, an account on it, and the configuration of a host that trades there with its money.

use crate::play::{Play, request, slot};
use crate::{isobar, root, strategy};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// A simulated exchange in a process of its own.
pub struct Venue {
    play: Play,
    /// `address:port`.
    pub exchange: String,
    rest: String,
    websocket: String,
    key: String,
    file: PathBuf,
}

impl Venue {
    /// Starts `isobar sim` with further arguments; its key lies in `folder`.
    pub fn start(folder: &Path, arguments: &[&str]) -> Self {
        let mut play = Play::start(isobar(["sim", "--json", "--key-dir"]).arg(folder.join("keys")).args(arguments));
        let (_, told) = play.wait("addresses", |line| line["rest"].is_string());
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let rest = text(&told["rest"]);
        let address = rest.strip_prefix("http://").and_then(|rest| rest.split('/').next()).expect("an address");
        Self {
            play,
            exchange: address.to_owned(),
            websocket: text(&told["ws"]),
            key: text(&told["keys"][0]["key_id"]),
            file: PathBuf::from(text(&told["keys"][0]["private_key"])),
            rest,
        }
    }

    /// A configuration in `folder` whose slot `live` trades here with money, beside a paper slot of the same component.
    pub fn config(&self, folder: &Path, live: &str) -> PathBuf {
        let models = root().join("models");
        let library = root().join(".tools/onnxruntime/libonnxruntime.so");
        let library = std::env::var_os("ORT_DYLIB_PATH").map_or(library, PathBuf::from);
        let (rest, websocket, key, file) = (&self.rest, &self.websocket, &self.key, &self.file);
        let venue = format!(
            "[venue]\nrest = {rest:?}\nwebsocket = {websocket:?}\nsimulated = true\nkey_id = {key:?}\nkey_file = {file:?}\n\
             [models]\nfolder = {models:?}\nlibrary = {library:?}\n[run]\ndir = \"runs\"\n"
        );
        let slots = slot(live, &strategy(live), None) + &slot("twin", &strategy(live), None);
        let file = folder.join("live.toml");
        std::fs::write(&file, format!("{venue}{LIMITS}[live]\nslot = {live:?}\n{LIVE}{slots}")).expect("written");
        file
    }

    /// Asks the exchange for something of `/sim`.
    pub fn ask(&self, what: &str) -> Value {
        request(&self.exchange, "GET", &format!("/sim/{what}"), "")
    }

    /// What the exchange knows of our account.
    pub fn account(&self) -> Value {
        self.ask("accounts")[0].clone()
    }

    /// Tells the exchange to do something of `/sim`.
    pub fn tell(&self, what: &str, body: &Value) {
        request(&self.exchange, "POST", &format!("/sim/{what}"), &body.to_string());
    }

    /// The lines that the exchange printed so far end here; it is killed when this is dropped.
    pub fn play(&mut self) -> &mut Play {
        &mut self.play
    }
}

/// Wide enough for a simulated day, written out since money has no default limits.
const LIMITS: &str = "[limits]
MAX_POSITION_PER_MARKET = 50
max_order_contracts = 50
max_open_orders = 100
max_order_usd = 50
max_city_day_contracts = 500
max_city_day_loss_usd = 500
max_day_traded_usd = 100000
max_exposure_usd = 5000
max_daily_loss_usd = 5000
max_collar_usd = 0.25
max_orders_per_second = 1000
max_orders_per_minute = 10000
max_clock_skew_sec = 60
stop_before_close_sec = 0
no_trading_utc = []
";

const LIVE: &str = "max_contracts_per_15_sec = 100000
order_ttl_sec = 1200
";

/// `isobar run --live` by a configuration, running.
pub fn live(config: &Path) -> Play {
    Play::start(isobar(["run", "--live", "--json", "--config"]).arg(config))
}

/// Waits until the live slot was proved equal to its account.
pub fn proved(host: &mut Play) {
    host.wait("proof", |line| line["type"] == "notice" && line["notice"] == "Proved");
}
