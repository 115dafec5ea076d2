//! `isobar sim`: the simulated exchange alone, for any client of the venue.
//!
//! It makes or reads keys, says where the exchange is, and waits. What the exchange does is `isobar_sim`'s.

use crate::cli::{self, KeyType};
use crate::demo;
use anyhow::{Context, Result, bail};
use isobar_engine::units::Money;
use isobar_sim::{AccountConfig, KeyKind, PublicKey, Scene, Sim, Speed};
use serde::Serialize;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How often the end is looked for.
const GLANCE: Duration = Duration::from_millis(50);
/// Hour of the evening (UTC−6) from which the next climate day is the one that trades.
const EVENING: i8 = 20;

/// What is told at the start.
#[derive(Debug, Serialize)]
struct Started {
    rest: String,
    ws: String,
    sim: String,
    keys: Vec<Key>,
}

#[derive(Debug, Serialize)]
struct Key {
    key_id: String,
    /// Nothing where the client brought its own.
    private_key: Option<PathBuf>,
}

/// Runs the exchange until an interrupt or its time.
pub fn sim(command: &cli::Sim) -> Result<()> {
    let account = |id: &str, key: PublicKey| AccountConfig {
        keys: vec![(id.to_owned(), key)],
        cash: Money::dollars(command.cash),
        tier: command.tier,
    };
    let (mut accounts, mut keys) = (Vec::new(), Vec::new());
    for pair in &command.keys {
        let (id, file) = pair.split_once('=').with_context(|| format!("`{pair}` is no ID=PUBLIC.PEM"))?;
        let pem = std::fs::read_to_string(file).with_context(|| format!("cannot read the public key {file}"))?;
        accounts.push(account(id, PublicKey::from_pem(&pem).with_context(|| file.to_owned())?));
        keys.push(Key { key_id: id.to_owned(), private_key: None });
    }
    let kind = match command.key_type {
        KeyType::Ed25519 => KeyKind::Ed25519,
        KeyType::Rsa => KeyKind::Rsa,
    };
    for _ in 0..command.new_keys.unwrap_or(u16::from(keys.is_empty())) {
        let new = isobar_sim::generate(kind).context("cannot make a key")?;
        let file = command.key_dir.join(format!("{}.pem", new.id));
        keep(&file, &new.private_pem).with_context(|| format!("cannot write the private key {}", file.display()))?;
        accounts.push(account(&new.id, new.public));
        keys.push(Key { key_id: new.id, private_key: Some(file) });
    }
    let config = isobar_sim::Config {
        listen: command.listen,
        scene: scene(command)?,
        speed: Speed::Factor(command.speed),
        seed: command.seed,
        accounts,
        unsigned_feed: command.unsigned_feed,
        connections: command.connections,
        maintenance: !command.no_maintenance,
        maker_fees: command.maker_fees,
        ..isobar_sim::Config::default()
    };
    let exchange = Sim::start(config).context("the simulated exchange does not start")?;
    let started =
        Started { rest: exchange.rest_url.clone(), ws: exchange.ws_url.clone(), sim: exchange.sim_url.clone(), keys };
    tell(&started, command.json)?;
    let interrupted = Arc::new(AtomicBool::new(false));
    demo::on_interrupt(Arc::clone(&interrupted))?;
    let ends = command.seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    while !interrupted.load(Ordering::Relaxed) && ends.is_none_or(|end| Instant::now() < end) {
        std::thread::sleep(GLANCE);
    }
    exchange.stop();
    Ok(())
}

fn scene(command: &cli::Sim) -> Result<Scene> {
    if let Some(folder) = &command.recording {
        if command.start.is_some() || command.date.is_some() {
            bail!("a recording has its own time: neither --start nor --date goes with it");
        }
        return demo::recorded(folder, command.day.as_deref());
    }
    let start = command.start.unwrap_or_else(jiff::Timestamp::now);
    let central = start.to_zoned(jiff::tz::TimeZone::fixed(jiff::tz::offset(-6)));
    let evening = if central.hour() >= EVENING { central.date().tomorrow()? } else { central.date() };
    let date = command.date.unwrap_or(evening);
    Ok(if command.quiet { Scene::Quiet { date, start } } else { Scene::Living { date, start } })
}

/// Writes a file that only its owner can read. One that exists is never replaced.
fn keep(file: &Path, text: &str) -> std::io::Result<()> {
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(file)?.write_all(text.as_bytes())
}

/// Whoever started it as a child waits for this, so it is flushed.
fn tell(started: &Started, json: bool) -> Result<()> {
    let mut out = std::io::stdout().lock();
    if json {
        writeln!(out, "{}", serde_json::to_string(started)?)?;
    } else {
        writeln!(out, "REST       {}", started.rest)?;
        writeln!(out, "WebSocket  {}", started.ws)?;
        writeln!(out, "simulation {}", started.sim)?;
        for key in &started.keys {
            match &key.private_key {
                Some(file) => writeln!(out, "key        {} {}", key.key_id, file.display())?,
                None => writeln!(out, "key        {}", key.key_id)?,
            }
        }
    }
    Ok(out.flush()?)
}
