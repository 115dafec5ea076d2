//! House rules that the compiler does not enforce: the engine stays pure, adapters stay strangers, ids of the outside stay out.

use std::path::{Path, PathBuf};

fn host(room: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../host").join(room)
}

fn sources(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
    for entry in std::fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let text = std::fs::read_to_string(&path).expect("a source file");
            found.push((path, text));
        }
    }
}

/// Lines of production code: comments and everything from the first `mod tests` on are left out.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().enumerate().take_while(|(_, line)| !line.starts_with("mod tests"));
    lines.filter(|(_, line)| !line.trim_start().starts_with("//"))
}

/// Whether `line` holds `word` as a word of its own.
fn holds(line: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back().is_some_and(part);
        let after = line[at + word.len()..].chars().next().is_some_and(part);
        !before && !after
    })
}

const IMPURE: [&str; 18] = [
    "f32",
    "f64",
    "HashMap",
    "HashSet",
    "Instant",
    "SystemTime",
    "async",
    "await",
    "tokio",
    "thread",
    "Mutex",
    "Rc",
    "RefCell",
    "fs",
    "net",
    "env::var",
    "rand",
    "unsafe",
];

fn impurities(text: &str) -> Vec<(usize, &'static str)> {
    let found = code(text).flat_map(|(number, line)| {
        IMPURE.iter().filter(move |word| holds(line, word)).map(move |word| (number + 1, *word))
    });
    found.collect()
}

#[test]
fn the_engine_has_no_clock_float_thread_io_or_hash_order() {
    let mut found = Vec::new();
    sources(&host("engine/src"), &mut found);
    assert!(found.len() > 8, "the engine's sources were found");
    let bad: Vec<_> =
        found.iter().map(|(path, text)| (path, impurities(text))).filter(|(_, bad)| !bad.is_empty()).collect();
    assert!(bad.is_empty(), "impure: {bad:?}");
}

#[test]
fn the_search_for_impurities_finds_them() {
    assert_eq!(
        impurities("let x: f64 = 1.0;\nuse std::time::Instant;\n// an f32 in a comment"),
        [(1, "f64"), (2, "Instant")]
    );
    assert_eq!(impurities("let leaf64 = 1;\nmod tests {\nlet x: f64;"), []);
}

#[test]
fn the_engine_depends_on_encoding_and_hashing_only() {
    let manifest = std::fs::read_to_string(host("engine/Cargo.toml")).expect("a manifest");
    let section =
        manifest.split("[dependencies]").nth(1).expect("dependencies").split("\n[").next().expect("a section");
    let names: Vec<&str> =
        section.lines().filter_map(|line| line.split(['.', ' ', '=']).next()).filter(|n| !n.is_empty()).collect();
    assert_eq!(names, ["blake3", "postcard", "serde", "serde_bytes"]);
}

#[test]
fn adapters_never_name_each_other() {
    let rooms = ["kalshi", "weather", "inference", "plugins", "store", "sim"];
    for room in rooms {
        let manifest = std::fs::read_to_string(host(room).join("Cargo.toml")).expect("a manifest");
        let production = manifest.split("[dev-dependencies]").next().expect("a manifest has a beginning");
        for other in rooms.iter().filter(|other| **other != room) {
            assert!(!production.contains(&format!("isobar-{other}")), "{room} names {other}");
        }
    }
}
