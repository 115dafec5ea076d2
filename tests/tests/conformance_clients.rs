//! Clients of the venue that others wrote, unchanged, against `isobar sim`: they must not be able to tell.
//!
//! `.ci/clients` fetches them; where one could not be fetched its test says so and is skipped. What each does lies in
//! `tests/clients`. Each makes its own keys, so a signature is never checked by the code that made it.

use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A morning on which all six cities trade, at the pace of the wall's clock.
const START: &str = "2026-07-01T15:30:00Z";
const DATE: &str = "2026-07-01";

/// `isobar sim`, which dies with this.
struct Exchange {
    process: Child,
    rest: String,
    ws: String,
    sim: String,
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

const OWNERS: [(&str, &str); 3] = [
    ("maker", "0b000000-0000-4000-8000-000000000001"),
    ("taker", "0b000000-0000-4000-8000-000000000002"),
    ("ed25519", "0b000000-0000-4000-8000-000000000003"),
];

impl Exchange {
    /// Starts one that knows the public keys in `keys`.
    fn start(keys: &Path) -> Self {
        let mut command = isobar_tests::isobar(["sim", "--json", "--listen", "127.0.0.1:0"]);
        command.args(["--tier", "unlimited", "--cash", "25000", "--no-maintenance", "--start", START, "--date", DATE]);
        for (name, id) in OWNERS {
            command.arg("--key").arg(format!("{id}={}", keys.join(format!("{name}.pub.pem")).display()));
        }
        let mut process = command.stdout(Stdio::piped()).spawn().expect("isobar sim starts");
        let mut line = String::new();
        let out = process.stdout.as_mut().expect("its output is read");
        BufReader::new(out).read_line(&mut line).expect("it says where it is");
        let told: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let word = |name: &str| told[name].as_str().unwrap_or_else(|| panic!("no {name} in {line}")).to_owned();
        Self { process, rest: word("rest"), ws: word("ws"), sim: word("sim") }
    }

    /// A market whose best prices leave room for a quote between them, not too close to nothing and to a dollar.
    fn market(&self) -> String {
        // reqwest wants to know by which library it would speak TLS, though it speaks none here; a second time is refused.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let address = format!("{}/markets?status=open&limit=1000", self.rest);
        let page =
            runtime.block_on(async { reqwest::get(address).await.expect("an answer").text().await.expect("a body") });
        let page: Value = serde_json::from_str(&page).expect("JSON");
        let cents = |market: &Value, field: &str| {
            let price = market[field].as_str().expect("a price");
            price.replace('.', "").parse::<i64>().expect("a price") / 100
        };
        let roomy = |market: &&Value| {
            let (bid, ask) = (cents(market, "yes_bid_dollars"), cents(market, "yes_ask_dollars"));
            bid >= 10 && ask <= 90 && ask - bid >= 2
        };
        let markets = page["markets"].as_array().expect("markets");
        let found = markets
            .iter()
            .filter(roomy)
            .max_by_key(|market| cents(market, "yes_ask_dollars") - cents(market, "yes_bid_dollars"));
        found.expect("a market with a spread")["ticker"].as_str().expect("a ticker").to_owned()
    }
}

/// Where `.ci/clients` puts something, if it is there; says so where it is not.
fn fetched(what: &str) -> Option<PathBuf> {
    let path = isobar_tests::root().join(".tools/clients").join(what);
    let found = path.exists();
    if !found {
        println!("skipped: no {}: .ci/clients fetches it where Python, Node and a network are at hand", path.display());
    }
    found.then_some(path)
}

/// Lets a client make its keys, starts an exchange for them, and runs what the client does there.
fn trade(mut interpreter: impl FnMut(&str) -> Command, make_keys: &str, script: &str) {
    let keys = tempfile::tempdir().expect("a folder");
    let made = interpreter(make_keys).arg(keys.path()).output().expect("the interpreter runs");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let exchange = Exchange::start(keys.path());
    let owner = |(name, id): (&str, &str)| json!({"id": id, "key": keys.path().join(format!("{name}.pem"))});
    let [maker, taker, ed25519] = OWNERS.map(owner);
    let told = json!({
        "rest": exchange.rest,
        "ws": exchange.ws,
        "sim": exchange.sim,
        "accounts": [maker, taker],
        "ed25519": ed25519,
        "market": exchange.market(),
    });
    let ran = interpreter(script).arg(told.to_string()).output().expect("the interpreter runs");
    let (out, err) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    println!("{}", out.trim_end());
    assert!(ran.status.success(), "{out}\n{err}");
    assert!(out.contains("checks passed"), "{out}\n{err}");
}

fn python(client: &str, script: &str) {
    let Some(interpreter) = fetched(&format!("{client}/python")) else { return };
    let folder = isobar_tests::root().join("tests/clients");
    let run = |name: &str| {
        let mut command = Command::new(&interpreter);
        // Nothing is written beside the scripts.
        command.arg("-B").arg(folder.join(name));
        command
    };
    trade(run, "make_keys.py", script);
}

#[test]
fn pykalshi_cannot_tell() {
    python("pykalshi", "pykalshi_trades.py");
}

#[test]
fn kalshi_sdk_cannot_tell_but_for_a_field_that_the_venue_has_dropped() {
    python("kalshi-sdk", "kalshi_sdk_trades.py");
}

#[test]
fn kalshi_typescript_cannot_tell() {
    let Some(packages) = fetched("node/node_modules") else { return };
    let folder = isobar_tests::root().join("tests/clients");
    let run = |name: &str| {
        let mut command = Command::new("node");
        command.env("NODE_PATH", &packages).arg(folder.join(name));
        command
    };
    trade(run, "make_keys.cjs", "typescript_trades.cjs");
}
