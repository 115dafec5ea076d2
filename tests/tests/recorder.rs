//! Makes `tests/recordings` anew, which a change of the journal's format, of the engine's rules or of the simulated
//! exchange makes necessary:
//!
//! ```text
//! make build && cargo test --release -p isobar-tests --test recorder -- --ignored
//! ```
//!
//! - `capture.jsonl.zst`: two cities of the simulated day over two connections, as a client received them.
//! - `touching.jsonl`: written by hand below: a bid that comes to stand at the best ask, in its last frame.
//! - `touching/`: the run that `isobar import` makes of it.
//! - `day/`: sixteen minutes of the simulated day, played 60 times as fast by the program with both strategies; in
//!   the middle another component takes over the slot `edge`, after one that is refused. The journals are copied record
//!   by record into small segments, so that all but the last are packed. Components are left out: a replay asks none.

use isobar_kalshi::feed::{Feed, FeedEvent};
use isobar_kalshi::rest::{Filter, Rest};
use isobar_sim::{Scene, Sim, Speed};
use isobar_store::{Layout, Run};
use isobar_tests::{isobar, program, recording, replay, root, strategy, succeed};
use serde_json::json;
use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(10);

/// A folder of the recordings, empty.
fn anew(name: &str) -> std::path::PathBuf {
    let folder = recording(name);
    if folder.exists() {
        std::fs::remove_dir_all(&folder).expect("it can be deleted");
    }
    folder
}

#[test]
#[ignore = "makes the recordings anew"]
fn capture() {
    // Scene time 600 times as fast: 1 800 frames of two cities take some seconds.
    let exchange = Sim::start(isobar_sim::Config {
        scene: Scene::default(),
        speed: Speed::Factor(600),
        seed: 7,
        ..isobar_sim::Config::default()
    });
    let exchange = exchange.expect("an exchange");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut lines = String::new();
    runtime.block_on(async {
        let rest = Rest::new(&exchange.rest_url, PATIENCE).expect("an address");
        let mut tickers = Vec::new();
        for series in ["KXHIGHCHI", "KXHIGHMIA"] {
            let markets = rest.markets(series, Filter::All).await.expect("markets");
            tickers.extend(markets.into_iter().map(|market| market.ticker.clone()));
        }
        for connection in 0..2 {
            let mut feed = Feed::connect(&exchange.ws_url, &[], PATIENCE).await.expect("a connection");
            for (id, channel) in ["orderbook_delta", "ticker", "trade"].into_iter().enumerate() {
                let params = json!({"channels": [channel], "market_tickers": tickers, "use_yes_price": false});
                let command = json!({"id": id + 1, "cmd": "subscribe", "params": params});
                feed.send_text(command.to_string()).await.expect("sent");
            }
            for _ in 0..900 {
                match feed.next().await {
                    FeedEvent::Text(text) => line(&mut lines, connection, std::str::from_utf8(&text).expect("text")),
                    FeedEvent::Pong => {}
                    FeedEvent::Closed(reason) => panic!("{reason}"),
                }
            }
            feed.close().await;
        }
    });
    let packed = zstd::encode_all(lines.as_bytes(), 19).expect("zstd");
    std::fs::write(recording("capture.jsonl.zst"), packed).expect("written");
}

/// One line, received when it was sent, by the scene's clock.
fn line(lines: &mut String, connection: u32, frame: &str) {
    let frame = frame.trim_end();
    let value: serde_json::Value = serde_json::from_str(frame).expect("a frame");
    let recv_ns = value["sending_ts_ms"].as_i64().expect("a time") * 1_000_000;
    writeln!(lines, r#"{{"recv_ns":{recv_ns},"conn":{connection},"frame":{frame}}}"#).expect("memory");
}

#[test]
#[ignore = "makes the recordings anew"]
fn touching() {
    let ticker = "KXHIGHCHI-26JUL01-B88.5";
    let mut lines = String::new();
    let mut frame = |seq: i64, kind: &str, msg: serde_json::Value| {
        let sending_ts_ms = 1_782_918_000_000_i64 + seq * 10;
        let frame = match seq {
            0 => json!({"id": 1, "type": kind, "msg": msg, "sending_ts_ms": sending_ts_ms}),
            _ => json!({"type": kind, "sid": 1, "seq": seq, "msg": msg, "sending_ts_ms": sending_ts_ms}),
        };
        line(&mut lines, 0, &frame.to_string());
    };
    let delta = |side: &str, price: &str, change: &str| json!({"market_ticker": ticker, "price_dollars": price, "delta_fp": change, "side": side});
    frame(0, "subscribed", json!({"channel": "orderbook_delta", "sid": 1}));
    let snapshot = json!({
        "market_ticker": ticker,
        "yes_dollars_fp": [["0.4000", "10.00"]],
        "no_dollars_fp": [["0.5800", "10.00"], ["0.5900", "5.50"]],
    });
    frame(1, "orderbook_snapshot", snapshot);
    frame(2, "orderbook_delta", delta("yes", "0.4000", "-2.50"));
    frame(3, "orderbook_delta", delta("no", "0.5800", "1.25"));
    frame(4, "orderbook_delta", delta("yes", "0.4100", "3.00"));
    let capture = recording("touching.jsonl");
    std::fs::write(&capture, lines).expect("written");
    let folder = tempfile::tempdir().expect("a folder");
    let run = folder.path().join("run");
    succeed(isobar(["import", "--json", "--run"]).arg(&run).arg(&capture));
    copy(&run, &anew("touching"));
}

#[test]
#[ignore = "makes the recordings anew"]
fn day() {
    let folder = tempfile::tempdir().expect("a folder");
    let (runs, drop, models) = (folder.path().join("runs"), folder.path().join("drop"), root().join("models"));
    let library = root().join(".tools/onnxruntime/libonnxruntime.so");
    let config = format!(
        "[venue]\nseries = [\"KXHIGHCHI\", \"KXHIGHMIA\"]\n[models]\nfolder = {models:?}\nlibrary = {library:?}\n\
         [run]\ndir = {runs:?}\n\
         [limits]\nMAX_POSITION_PER_MARKET = 25\nmax_order_contracts = 25\nmax_open_orders = 8\n\
         [[slot]]\nname = \"edge\"\ncomponent = {:?}\nwatch = {drop:?}\n\
         [slot.parameters]\nMIN_EDGE_TAKE = 0.01\nMIN_EDGE_MAKE = 0.005\n\
         [[slot]]\nname = \"patient\"\ncomponent = {:?}\n[slot.parameters]\nMARGIN = 0.005\nQUOTE_CONTRACTS = 20\n",
        strategy("edge"),
        strategy("patient"),
    );
    let file = folder.path().join("isobar.toml");
    std::fs::write(&file, config).expect("a configuration");
    let mut host = Command::new(program("isobar"));
    host.args(["run", "--json", "--seconds", "16", "--config"]).arg(&file).stdout(Stdio::null());
    let mut host = host.spawn().expect("the program starts");
    std::thread::sleep(Duration::from_secs(6));
    std::fs::write(drop.join("broken.wasm"), b"\0asm and nothing more").expect("written");
    std::thread::sleep(Duration::from_secs(3));
    // The same rule under another hash: a custom section without a meaning stands at its end.
    let mut other = std::fs::read(strategy("edge")).expect("a component");
    other.extend_from_slice(b"\0\x06\x05other");
    std::fs::write(drop.join("other.wasm"), other).expect("written");
    assert!(host.wait().expect("a child").success());
    copy(&runs.join("run-1"), &anew("day"));
}

/// Copies the journals of a run, record by record, into small segments.
fn copy(from: &Path, to: &Path) {
    let layout = Layout { segment_bytes: 64 << 10, block_bytes: 8 << 10, pack: true };
    let (from, into) = (Run::open(from).expect("a run"), Run::create(to).expect("a folder"));
    {
        let (mut reader, mut writer) = (from.read_feed().expect("a feed"), into.write_feed(layout).expect("a feed"));
        while let Some(record) = reader.next().expect("readable") {
            assert_eq!(writer.append(record.at, &record.input).expect("written"), record.seq);
        }
        writer.flush().expect("written");
    }
    for slot in from.slots().expect("slots") {
        let (mut reader, mut writer) =
            (from.read_slot(&slot).expect("a slot"), into.write_slot(&slot, layout).expect("a slot"));
        while let Some(entry) = reader.next().expect("readable") {
            writer.append(entry.seq, entry.at, &entry.record).expect("written");
        }
        writer.flush().expect("written");
    }
    // Git keeps no empty folder, and a reader needs no lock.
    std::fs::remove_dir(to.join("components")).expect("nothing was put there");
    std::fs::remove_file(to.join("feed/lock")).expect("a writer locks its journal");
    for slot in from.slots().expect("slots") {
        std::fs::remove_file(to.join("slots").join(slot).join("lock")).expect("a writer locks its journal");
    }
    replay(to);
}
