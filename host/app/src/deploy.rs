//! Takes component files from folders and offers them to slots. The file system is a suggestion box: a component is
//! offered only after it was read, compiled and probed here, off the driver's and the follower's threads.

use crate::message::Message;
use crate::seat::{Offered, Order};
use isobar_engine::units::Digest;
use isobar_plugins::{Description, Loaded, Loader, Reuse, Wanted, Watch, resolve};
use isobar_store::Run;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::time::Instant;

/// How a slot takes a component.
#[derive(Clone)]
pub struct Berth {
    /// Whose slot it is.
    pub place: Place,
    pub reuse: Reuse,
    /// Parameters that the configuration sets, by name.
    pub parameters: Vec<(String, String)>,
}

/// Where a slot runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// On the driver.
    Live,
    /// Behind the feed journal, by its index there.
    Paper(usize),
}

/// Loads components for slots.
#[derive(Clone)]
pub struct Deployer {
    pub loader: Arc<Loader>,
    pub run: Run,
    /// To the follower, with the index of the slot.
    pub orders: Sender<(usize, Order)>,
    pub driver: tokio::sync::mpsc::Sender<Message>,
}

impl Deployer {
    /// Gives a slot its first component. The error says why it cannot have it: a run does not begin with an empty slot.
    pub fn first(&self, berth: &Berth, path: &Path) -> Result<(), String> {
        let (loaded, values) = self.load(path, |_| berth.parameters.clone())?;
        self.send(berth, Self::swap(berth, path, None, &loaded, values));
        Ok(())
    }

    /// Loads a file for a slot that runs and offers it, or tells why not.
    ///
    /// Another rule has other parameters: those that it does not declare are left out. What the trader mistyped was
    /// refused with the first component.
    fn offer(&self, berth: &Berth, path: &Path, seen: Instant) {
        let declared = |description: &Description| description.declared(&berth.parameters);
        let order = match self.load(path, declared) {
            Ok((loaded, values)) => Self::swap(berth, path, Some(seen), &loaded, values),
            Err(reason) => Order::Refuse { path: path.display().to_string(), hash: hash_of(path), reason },
        };
        self.send(berth, order);
    }

    fn swap(berth: &Berth, path: &Path, seen: Option<Instant>, loaded: &Loaded, values: Vec<i64>) -> Order {
        let offered = Offered {
            component: loaded.held(values),
            strategy: loaded.strategy(berth.reuse),
            seen,
            path: path.display().to_string(),
        };
        Order::Swap(Box::new(offered))
    }

    fn send(&self, berth: &Berth, order: Order) {
        // A follower or driver that ended takes no more components.
        match berth.place {
            Place::Live => drop(self.driver.blocking_send(Message::Slot(order))),
            Place::Paper(index) => drop(self.orders.send((index, order))),
        }
    }

    fn load(
        &self,
        path: &Path,
        parameters: impl Fn(&Description) -> Vec<(String, String)>,
    ) -> Result<(Loaded, Vec<i64>), String> {
        let loaded = self.loader.load_file(path).map_err(|refusal| refusal.to_string())?;
        let given = parameters(loaded.description());
        let values = resolve(loaded.description(), &given).map_err(|error| error.to_string())?;
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
        let watch = Watch::start(folder, Wanted::Files("wasm"), send)?;
        let deployer = self.clone();
        std::thread::spawn(move || {
            while let Ok(path) = files.recv() {
                deployer.offer(&berth, &path, Instant::now());
            }
        });
        Ok(watch)
    }
}

fn hash_of(path: &Path) -> Option<Digest> {
    std::fs::read(path).ok().map(|bytes| Digest::of(&bytes))
}
