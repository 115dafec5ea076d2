//! Takes bundles from folders. The folder is a suggestion box: a bundle speaks for a city only after it was read whole,
//! its features were found among those served, and its golden rows came out as in training. All of that happens here, off
//! the driver's thread.

use super::serving::Bound;
use isobar_engine::opinion::Role;
use isobar_engine::units::Digest;
use isobar_inference::{Bundle, FILES, Forecaster, Runtime, Session, Timed};
use isobar_plugins::{Wanted, Watch};
use isobar_store::Run;
use isobar_weather::SourceId;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;
use std::time::Duration;

/// The bundles in force.
pub struct Bundles {
    runtime: Result<Runtime, String>,
    pub forecaster: Forecaster,
    /// Whose values this host can give.
    served: Vec<SourceId>,
    run: Run,
    deadline: Duration,
    /// What each city's traded model is bound to.
    bound: BTreeMap<String, Bound>,
}

impl Bundles {
    pub fn new(
        runtime: Result<Runtime, String>,
        forecaster: Forecaster,
        served: Vec<SourceId>,
        run: Run,
        deadline: Duration,
    ) -> Self {
        Self { runtime, forecaster, served, run, deadline, bound: BTreeMap::new() }
    }

    /// What a city's traded model is bound to.
    pub fn bound(&self, city: &str) -> Option<&Bound> {
        self.bound.get(city)
    }

    /// Takes the bundle in a folder; says for which city it speaks now, nothing where it already did. The error is the
    /// reason why it is not taken.
    pub fn offer(&mut self, role: Role, folder: &Path) -> Result<Option<(String, Digest)>, String> {
        let bundle = Bundle::load(folder).map_err(|error| error.to_string())?;
        let (city, model) = (bundle.manifest.city.clone(), bundle.model);
        if self.forecaster.model(&city, role) == Some(model) {
            return Ok(None);
        }
        let bound = Bound::of(&bundle.manifest, &self.served)?;
        let files = bundle.files.clone();
        let runtime = self.runtime.as_ref().map_err(String::clone)?;
        let session = Session::verified(runtime, bundle).map_err(|error| error.to_string())?;
        let files: Vec<(&str, &[u8])> = FILES.into_iter().zip(files.iter().map(Vec::as_slice)).collect();
        self.run.keep_model(model, &files).map_err(|error| error.to_string())?;
        self.forecaster.hold(role, Timed::new(session, self.deadline).map_err(|error| error.to_string())?);
        if role == Role::Traded {
            self.bound.insert(city.clone(), bound);
        }
        Ok(Some((city, model)))
    }
}

/// The folders in `models` that hold a bundle, by name.
pub fn folders(models: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(models).into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> =
        entries.map(|entry| entry.path()).filter(|path| path.join(FILES[0]).is_file()).collect();
    folders.sort();
    folders
}

/// Watches a folder of bundles until the returned value is dropped or `tell` says that nobody listens.
pub fn watch(folder: &Path, tell: impl Fn(PathBuf) -> bool + Send + 'static) -> Result<Watch, String> {
    if !folder.is_dir() {
        return Err("it is no folder".to_owned());
    }
    let (send, told) = channel();
    let watch = Watch::start(folder, Wanted::Bundles(&FILES), send).map_err(|error| error.to_string())?;
    let pass = move || while told.recv().is_ok_and(&tell) {};
    std::thread::Builder::new().name("models".to_owned()).spawn(pass).map_err(|error| error.to_string())?;
    Ok(watch)
}
