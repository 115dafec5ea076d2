//! Takes component files from folders and offers them to slots. The file system is a suggestion box: a component is
//! offered only after it was read, compiled and probed here, off the driver's and the follower's threads.

use crate::follower::{Command, Offered};
use isobar_engine::units::Digest;
use isobar_plugins::{Loaded, Loader, Reuse, Watch, resolve};
use isobar_store::Run;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::time::Instant;

/// How a slot takes a component.
#[derive(Clone)]
pub struct Berth {
    /// Index of the slot.
    pub slot: usize,
    pub reuse: Reuse,
    /// Parameters that the configuration sets, by name.
    pub parameters: Vec<(String, String)>,
}

/// Loads components for slots.
#[derive(Clone)]
pub struct Deployer {
    pub loader: Arc<Loader>,
    pub run: Run,
    pub commands: Sender<Command>,
}

impl Deployer {
    /// Loads a file for a slot and offers it, or tells why not.
    pub fn offer(&self, berth: &Berth, path: &Path, seen: Option<Instant>) {
        let slot = berth.slot;
        let name = path.display().to_string();
        let command = match self.load(berth, path) {
            Ok((loaded, values)) => Command::Swap {
                slot,
                offered: Box::new(Offered {
                    component: loaded.held(values),
                    strategy: loaded.strategy(berth.reuse),
                    seen,
                    path: name,
                }),
            },
            Err(reason) => Command::Refuse { slot, path: name, hash: hash_of(path), reason },
        };
        // A follower that ended takes no more components.
        let _ = self.commands.send(command);
    }

    fn load(&self, berth: &Berth, path: &Path) -> Result<(Loaded, Vec<i64>), String> {
        let loaded = self.loader.load_file(path).map_err(|refusal| refusal.to_string())?;
        let values = resolve(loaded.description(), &berth.parameters).map_err(|error| error.to_string())?;
        let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
        // The file may have been replaced since it was probed: what is kept must be what runs.
        if Digest::of(&bytes) != loaded.hash() {
            return Err("the file changed while it was read; it will be looked at again".to_owned());
        }
        self.run.keep_component(&bytes).map_err(|error| error.to_string())?;
        Ok((loaded, values))
    }

    /// Watches a folder for a slot, until the returned value is dropped. What lies in it already is offered too.
    pub fn watch(&self, berth: Berth, folder: &Path) -> Result<Watch, isobar_plugins::Error> {
        let (send, files) = channel::<PathBuf>();
        let watch = Watch::start(folder, send)?;
        let deployer = self.clone();
        std::thread::spawn(move || {
            while let Ok(path) = files.recv() {
                deployer.offer(&berth, &path, Some(Instant::now()));
            }
        });
        Ok(watch)
    }
}

fn hash_of(path: &Path) -> Option<Digest> {
    std::fs::read(path).ok().map(|bytes| Digest::of(&bytes))
}
