//! The two programs that are measured, as processes of their own: the host as it is deployed, and the bare bot.

use crate::keys::{Algorithm, ID};
use clap::ValueEnum;
use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How the host is told to trade, beside its configuration.
const HOST_ARGUMENTS: [&str; 2] = ["run", "--live"];
/// Longest that a program may take to end after it was asked to.
const GOODBYE: Duration = Duration::from_secs(15);

/// Who answers the triggers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Program {
    /// `isobar run --live`.
    Host,
    /// The bare reference bot.
    Bot,
}

impl Program {
    pub fn name(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Bot => "bot",
        }
    }
}

/// What differs between two measurements of one program.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    pub algorithm: Algorithm,
    /// Of the host: how long it looks for the next event before it sleeps.
    pub busy_poll_ms: u32,
}

/// A program that runs. It is killed when this is dropped.
pub struct Running {
    child: Child,
    log: PathBuf,
    /// Where the program writes its stamps.
    pub stages: PathBuf,
}

impl Running {
    /// Starts a program against the exchange, with everything that it writes in `folder`.
    pub fn start(
        program: Program,
        exchange: SocketAddr,
        tickers: &[String],
        settings: Settings,
        folder: &Path,
    ) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let (log, stages) = (folder.join("log"), folder.join("stages"));
        let mut command = match program {
            Program::Host => {
                let config = folder.join("isobar.toml");
                std::fs::write(&config, configuration(exchange, settings, folder))?;
                let mut command = isobar_tests::isobar(HOST_ARGUMENTS);
                command.arg("--config").arg(config).arg("--stages").arg(&stages);
                command
            }
            Program::Bot => {
                let mut command = Command::new(std::env::current_exe()?);
                command.args(["bot", "--exchange", &exchange.to_string(), "--tickers", &tickers.join(",")]);
                command.arg("--key").arg(settings.algorithm.file()).arg("--stages").arg(&stages);
                command
            }
        };
        let output = File::create(&log)?;
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        Ok(Self { child: command.spawn()?, log, stages })
    }

    /// Whether it still runs.
    pub fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Asks it to end and waits until it has.
    pub fn stop(mut self) {
        // One that has ended by itself cannot be told.
        let _ = Command::new("kill").args(["-INT", &self.child.id().to_string()]).stderr(Stdio::null()).status();
        let until = Instant::now() + GOODBYE;
        while self.is_alive() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The end of what it said, for the one who has to find out why it does not trade.
    pub fn last_words(&self) -> String {
        let said = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = said.lines().filter(|line| !line.contains(r#""type":"decision""#)).collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The host's configuration: `host.toml` with its braces filled in.
fn configuration(exchange: SocketAddr, settings: Settings, folder: &Path) -> String {
    let root = isobar_tests::root();
    let library = std::env::var_os("ORT_DYLIB_PATH")
        .map_or_else(|| root.join(".tools/onnxruntime/libonnxruntime.so"), PathBuf::from);
    let path = |path: PathBuf| path.display().to_string();
    let values = [
        ("exchange", exchange.to_string()),
        ("key_id", ID.to_owned()),
        ("key_file", path(settings.algorithm.file())),
        ("busy_poll_ms", settings.busy_poll_ms.to_string()),
        ("models", path(root.join("models"))),
        ("library", path(library)),
        ("runs", path(folder.join("runs"))),
        ("component", path(isobar_tests::strategy("edge"))),
    ];
    let template = include_str!("host.toml").to_owned();
    values.into_iter().fold(template, |text, (name, value)| text.replace(&format!("{{{name}}}"), &value))
}
