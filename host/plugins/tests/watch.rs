//! Files that appear, change and are half written in a watched folder.

use isobar_plugins::{Wanted, Watch};
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver};
use std::thread::sleep;
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_secs(5);

fn watched(folder: &Path) -> (Watch, Receiver<PathBuf>) {
    let (send, files) = mpsc::channel();
    (Watch::start(folder, Wanted::Files("wasm"), send).expect("a folder to watch"), files)
}

/// Names told until nothing more comes for a while.
fn told(files: &Receiver<PathBuf>) -> Vec<String> {
    let name = |path: PathBuf| path.file_name().expect("a name").to_string_lossy().into_owned();
    let mut names: Vec<String> = files.recv_timeout(SOON).map(name).into_iter().collect();
    while let Ok(path) = files.recv_timeout(Duration::from_millis(700)) {
        names.push(name(path));
    }
    names
}

#[test]
fn files_that_are_there_are_told_in_order_and_others_are_not() {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["b.wasm", "a.wasm", "notes.txt", "c.wasm.new"] {
        fs::write(folder.path().join(name), name).expect("written");
    }
    fs::create_dir(folder.path().join("d.wasm")).expect("a folder");
    let (_watch, files) = watched(folder.path());
    assert_eq!(told(&files), ["a.wasm", "b.wasm"]);
}

#[test]
fn a_closed_or_moved_file_is_told_at_once_and_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let (_watch, files) = watched(folder.path());
    sleep(Duration::from_millis(100));
    let path = folder.path().join("a.wasm");
    fs::write(&path, "one").expect("written");
    let closed = Instant::now();
    assert!(files.recv_timeout(SOON).is_ok());
    let took = closed.elapsed();
    assert!(took < Duration::from_millis(100), "{took:?}");
    fs::write(folder.path().join("b.wasm.new"), "two").expect("written");
    fs::rename(folder.path().join("b.wasm.new"), folder.path().join("b.wasm")).expect("moved");
    assert_eq!(told(&files), ["b.wasm"]);
    // The same length again, at once.
    fs::write(&path, "two").expect("written");
    assert_eq!(told(&files), ["a.wasm"]);
}

#[test]
fn a_file_that_grows_slowly_is_told_again_when_it_is_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let (_watch, files) = watched(folder.path());
    let path = folder.path().join("slow.wasm");
    let mut file = File::create(&path).expect("made");
    let mut last = String::new();
    for part in ["one ", "two ", "three"] {
        file.write_all(part.as_bytes()).expect("written");
        sleep(Duration::from_millis(120));
    }
    drop(file);
    while let Ok(told) = files.recv_timeout(Duration::from_secs(1)) {
        last = fs::read_to_string(told).expect("text");
    }
    assert_eq!(last, "one two three");
}

#[test]
fn a_file_that_comes_back_is_told_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let (_watch, files) = watched(folder.path());
    let path = folder.path().join("a.wasm");
    fs::write(&path, "one").expect("written");
    assert_eq!(told(&files), ["a.wasm"]);
    fs::remove_file(&path).expect("removed");
    sleep(Duration::from_millis(100));
    fs::write(&path, "one").expect("written");
    assert_eq!(told(&files), ["a.wasm"]);
}

#[test]
fn a_bundle_is_told_when_all_its_files_stand_still_and_again_when_one_changes() {
    let folder = tempfile::tempdir().expect("a folder");
    let bundle = |name: &str| folder.path().join(name);
    let write = |name: &str, file: &str, text: &str| fs::write(bundle(name).join(file), text).expect("written");
    for name in ["b", "a", "no-bundle"] {
        fs::create_dir(bundle(name)).expect("a folder");
        write(name, "graph", name);
    }
    write("a", "manifest", "a");
    write("b", "manifest", "b");
    fs::write(bundle("manifest"), "beside the bundles").expect("written");
    let (send, files) = mpsc::channel();
    let _watch = Watch::start(folder.path(), Wanted::Bundles(&["manifest", "graph"]), send).expect("a folder to watch");
    assert_eq!(told(&files), ["a", "b"]);
    write("b", "graph", "another");
    assert_eq!(told(&files), ["b"]);
    write("b", "notes", "of no interest");
    assert!(files.recv_timeout(Duration::from_millis(900)).is_err());
    // Made aside and moved in.
    fs::create_dir(bundle("no-bundle/c")).expect("a folder");
    fs::write(bundle("no-bundle/c/manifest"), "c").expect("written");
    fs::rename(bundle("no-bundle/c"), bundle("c")).expect("moved");
    assert_eq!(told(&files), ["c"]);
}
