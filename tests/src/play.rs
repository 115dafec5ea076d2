//! A program that runs beside a test: what it prints line by line, and how it is ended.

use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// Longest that a test waits for a line.
const PATIENCE: Duration = Duration::from_secs(60);

/// `isobar demo --json` or the like, running. It is killed when this is dropped.
pub struct Play {
    child: Child,
    lines: Receiver<(Instant, Value)>,
    /// Everything that was read so far, decisions left out.
    pub seen: Vec<Value>,
}

impl Play {
    /// Starts the program and reads its lines of JSON. Those that only tell of decisions are not kept.
    pub fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the program starts");
        let out = child.stdout.take().expect("its output is piped");
        let (send, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                let now = Instant::now();
                if line.contains(r#""type":"decision""#) {
                    continue;
                }
                let value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
                if send.send((now, value)).is_err() {
                    return;
                }
            }
        });
        Self { child, lines, seen: Vec::new() }
    }

    /// Waits for the first line from now on that is `wanted`, and tells when it came.
    pub fn wait(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> (Instant, Value) {
        let end = Instant::now() + PATIENCE;
        loop {
            match self.lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok((when, line)) => {
                    self.seen.push(line.clone());
                    if wanted(&line) {
                        return (when, line);
                    }
                }
                Err(RecvTimeoutError::Timeout) => panic!("no {what} within {PATIENCE:?}"),
                Err(RecvTimeoutError::Disconnected) => {
                    panic!("the program ended before {what}: {:?}", self.seen.last())
                }
            }
        }
    }

    /// Waits until so many city-days have an opinion.
    pub fn opinions(&mut self, city_days: usize) {
        for _ in 0..city_days {
            self.wait("forecast", |line| line["type"] == "forecast" && line["ppm"].is_array());
        }
    }

    /// Where the simulated exchange listens, as `address:port`.
    pub fn exchange(&mut self) -> String {
        const BEFORE: &str = "connected to ws://";
        let (_, note) =
            self.wait("connection", |line| line["text"].as_str().is_some_and(|text| text.starts_with(BEFORE)));
        let rest = note["text"].as_str().expect("a text")[BEFORE.len()..].to_owned();
        rest.split('/').next().expect("an address").to_owned()
    }

    /// Number of the process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Takes what was printed so far without waiting.
    pub fn drain(&mut self) {
        self.seen.extend(self.lines.try_iter().map(|(_, line)| line));
    }

    /// Sends the program a signal, for example `-USR1`.
    pub fn signal(&self, signal: &str) {
        let told = Command::new("kill").args([signal, &self.child.id().to_string()]).status();
        assert!(told.expect("kill runs").success());
    }

    /// Kills the program at once.
    pub fn kill(mut self) {
        self.child.kill().expect("it was there");
        self.child.wait().expect("it ended");
    }

    /// Ends the program as Ctrl-C does; its last line.
    pub fn interrupt(self) -> Value {
        self.signal("-INT");
        self.finish()
    }

    /// Waits for the program's own end; its last line, which is its summary.
    pub fn finish(mut self) -> Value {
        while let Ok((_, line)) = self.lines.recv() {
            self.seen.push(line);
        }
        let status = self.child.wait().expect("the program ends");
        assert!(status.success(), "{status}");
        let last = self.seen.pop().expect("a last line");
        assert_eq!(last["type"], "summary", "{last}");
        last
    }
}

impl Drop for Play {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One request to the simulated exchange; the body of its answer.
pub fn request(exchange: &str, method: &str, path: &str, body: &str) -> Value {
    let mut stream = TcpStream::connect(exchange).expect("the exchange listens");
    let length = body.len();
    let head = "Host: exchange\r\nConnection: close\r\nContent-Type: application/json";
    write!(stream, "{method} {path} HTTP/1.1\r\n{head}\r\nContent-Length: {length}\r\n\r\n{body}").expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answered");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    assert!(head.starts_with("HTTP/1.1 200"), "{path}: {answer}");
    serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {body}"))
}

/// Writes a configuration into `folder`, with models of the repository and runs beside it. `rest` is TOML.
pub fn config(folder: &Path, rest: &str) -> PathBuf {
    let file = folder.join("isobar.toml");
    let models = crate::root().join("models");
    let library = crate::root().join(".tools/onnxruntime/libonnxruntime.so");
    let library = std::env::var_os("ORT_DYLIB_PATH").map_or(library, PathBuf::from);
    let head = format!("[models]\nfolder = {models:?}\nlibrary = {library:?}\n[run]\ndir = \"runs\"\n");
    std::fs::write(&file, head + rest).expect("written");
    file
}

/// A `[[slot]]` with a component and, where it is named, a folder that is watched.
pub fn slot(name: &str, component: &Path, watch: Option<&Path>) -> String {
    let watch = watch.map_or(String::new(), |folder| format!("watch = {folder:?}\n"));
    format!("[[slot]]\nname = {name:?}\ncomponent = {component:?}\n{watch}")
}
