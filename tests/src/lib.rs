//! Behaviour across rooms: what these tests share is how to find the program, the strategies and the recordings.
//!
//! The programs are those that lie beside the tests (`target/release`): `make test` builds them first.

pub mod account;
pub mod books;
pub mod faults;
pub mod naive;
pub mod play;
pub mod storm;
pub mod truth;
pub mod venue;

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The repository.
pub fn root() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().expect("the tests lie in the repository").to_owned()
}

/// A folder of recordings that are not part of the repository: `ISOBAR_DATA`, or `../shared/data` beside it. Says so on
/// stderr where there is none.
pub fn data() -> Option<PathBuf> {
    let named = std::env::var_os("ISOBAR_DATA").map(PathBuf::from);
    let folder = named.unwrap_or_else(|| root().join("../shared/data"));
    let found = folder.is_dir();
    if !found {
        eprintln!("skipped: no recordings in {}; name their folder by ISOBAR_DATA", folder.display());
    }
    found.then_some(folder)
}

/// A recording that is part of the repository.
pub fn recording(name: &str) -> PathBuf {
    root().join("tests/recordings").join(name)
}

/// A program of this workspace: `isobar`, or `isobar-mutants`.
pub fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test knows its own file");
    let built = test.ancestors().nth(2).expect("tests lie in target/PROFILE/deps").join(name);
    assert!(built.is_file(), "{} is missing: cargo build --release -p {name}", built.display());
    built
}

/// A strategy as a component: `edge` or `patient`.
pub fn strategy(name: &str) -> PathBuf {
    let built = root().join(format!("target/strategies/{name}.wasm"));
    assert!(built.is_file(), "{} is missing: make build", built.display());
    built
}

/// `isobar` with these arguments, in the repository (where models and strategies are found).
pub fn isobar<I: AsRef<std::ffi::OsStr>>(arguments: impl IntoIterator<Item = I>) -> Command {
    let mut command = Command::new(program("isobar"));
    command.current_dir(root()).args(arguments);
    command
}

/// What a program answered.
#[derive(Debug)]
pub struct Answer {
    /// Its exit code.
    pub code: Option<i32>,
    /// The last line that it printed, where that is JSON.
    pub json: Value,
    /// What it said on stderr.
    pub said: String,
}

/// Runs a program to its end.
pub fn answer(command: &mut Command) -> Answer {
    let Output { status, stdout, stderr } = command.output().expect("the program starts");
    let last = String::from_utf8_lossy(&stdout).lines().last().map(str::to_owned);
    let json = last.and_then(|line| serde_json::from_str(&line).ok()).unwrap_or(Value::Null);
    Answer { code: status.code(), json, said: String::from_utf8_lossy(&stderr).into_owned() }
}

/// Runs a program that must succeed, and gives what it printed.
pub fn succeed(command: &mut Command) -> Value {
    let answer = answer(command);
    assert_eq!(answer.code, Some(0), "{command:?}: {}", answer.said);
    answer.json
}

/// Replays a run that must be whole: identical, without a gap, nothing unparsed.
pub fn replay(run: &Path) -> Value {
    let outcome = succeed(isobar(["replay", "--json"]).arg(run));
    assert_eq!((&outcome["identical"], &outcome["first_difference"]), (&true.into(), &Value::Null), "{outcome}");
    assert_eq!((&outcome["gaps"], &outcome["unparsed"]), (&0.into(), &0.into()), "{outcome}");
    outcome
}
