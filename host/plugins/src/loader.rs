//! From bytes to a component that may trade, or a refusal with its reason. Slow work: never on the driver's thread.

use crate::bindings::StrategyPre;
use crate::cache::Cache;
use crate::convert;
use crate::description::Description;
use crate::error::{Error, Refusal};
use crate::probe::probes;
use crate::runtime::{Cap, Instance, Limits, Runtime};
use crate::strategy::{Reuse, Strategy, ask};
use isobar_engine::event::{Component as Held, Fault};
use isobar_engine::units::Digest;
use serde::Serialize;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, Linker};

/// First bytes of every WebAssembly file.
const MAGIC: &[u8] = b"\0asm";
/// Version and layer that follow in a core module and in a component.
const CORE: [u8; 4] = [1, 0, 0, 0];
const COMPONENT: [u8; 4] = [0x0d, 0, 1, 0];
const HEADER_BYTES: usize = 8;
/// Functions of the world.
const EXPORTS: [&str; 2] = ["describe", "decide"];

/// Loads components within limits, and keeps them by hash in a folder.
#[derive(Clone)]
pub struct Loader {
    runtime: Runtime,
    cache: Option<Cache>,
}

/// A component that may trade. Cheap to clone.
#[derive(Clone)]
pub struct Loaded {
    hash: Digest,
    description: Arc<Description>,
    fuel_max: u64,
    runtime: Runtime,
    component: StrategyPre<Cap>,
}

/// What `isobar check` tells of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Whether it may trade.
    pub ok: bool,
    /// Hash of its bytes, hexadecimal, where they could be read.
    pub component: Option<String>,
    /// The world that it is of, where it is of ours.
    pub world: Option<String>,
    /// What it wants from outside.
    pub imports: Vec<String>,
    /// Most fuel that one call of the probes used.
    pub fuel_max: u64,
    /// Why it may not trade.
    pub reason: Option<String>,
}

impl Loader {
    /// A loader that keeps compiled code in `folder`, or nowhere.
    ///
    /// # Errors
    /// The WebAssembly engine does not start, or the folder cannot be used.
    pub fn new(limits: Limits, folder: Option<&Path>) -> Result<Self, Error> {
        let runtime = Runtime::new(limits)?;
        let cache = folder.map(|folder| Cache::open(folder, &runtime.engine)).transpose()?;
        Ok(Self { runtime, cache })
    }

    /// Loads a file, read once.
    ///
    /// # Errors
    /// Every reason of [`Refusal`].
    pub fn load_file(&self, path: &Path) -> Result<Loaded, Refusal> {
        self.load(&self.read(path)?)
    }

    /// Loads a component: compile, link, instantiate, describe, answer the probes twice.
    ///
    /// # Errors
    /// Every reason of [`Refusal`] but [`Refusal::Unreadable`].
    pub fn load(&self, bytes: &[u8]) -> Result<Loaded, Refusal> {
        let hash = Digest::of(bytes);
        let component = self.compile(hash, bytes)?;
        let imports = imports(&component);
        if !imports.is_empty() {
            return Err(Refusal::Imports(imports));
        }
        for export in EXPORTS {
            if !exports_function(&component, export) {
                return Err(Refusal::World(format!("no export `{export}`")));
            }
        }
        let shape = |error: wasmtime::Error| Refusal::Shape(root(&error));
        let linked = Linker::new(&self.runtime.engine).instantiate_pre(&component).map_err(shape)?;
        let component = StrategyPre::new(linked).map_err(shape)?;
        let (description, describe_fuel) = self.described(&component)?;
        let mut loaded = Loaded {
            hash,
            description: Arc::new(description),
            fuel_max: describe_fuel,
            runtime: self.runtime.clone(),
            component,
        };
        loaded.fuel_max = loaded.fuel_max.max(loaded.probed()?);
        Ok(loaded)
    }

    /// Tells of a file what a trader wants to know before using it.
    pub fn check(&self, path: &Path) -> Check {
        let refused = |component, imports, refusal: &Refusal| Check {
            ok: false,
            component,
            world: None,
            imports,
            fuel_max: 0,
            reason: Some(refusal.to_string()),
        };
        let bytes = match self.read(path) {
            Ok(bytes) => bytes,
            Err(refusal) => return refused(None, Vec::new(), &refusal),
        };
        let hash = Some(Digest::of(&bytes).to_string());
        match self.load(&bytes) {
            Ok(loaded) => Check {
                ok: true,
                component: hash,
                world: Some(crate::WORLD.to_owned()),
                imports: Vec::new(),
                fuel_max: loaded.fuel_max,
                reason: None,
            },
            Err(Refusal::Imports(imports)) => {
                let refusal = Refusal::Imports(imports.clone());
                refused(hash, imports, &refusal)
            }
            Err(refusal) => refused(hash, Vec::new(), &refusal),
        }
    }

    fn read(&self, path: &Path) -> Result<Vec<u8>, Refusal> {
        let limit = self.runtime.limits.file;
        let unreadable = |source| Refusal::Unreadable { path: path.to_owned(), source };
        let mut bytes = Vec::new();
        File::open(path).map_err(unreadable)?.take(limit + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        Ok(bytes)
    }

    fn compile(&self, hash: Digest, bytes: &[u8]) -> Result<Component, Refusal> {
        let limit = self.runtime.limits.file;
        if u64::try_from(bytes.len()).is_ok_and(|length| length > limit) {
            return Err(Refusal::TooLarge { limit });
        }
        look_over(bytes)?;
        if let Some(component) = self.cache.as_ref().and_then(|cache| cache.code(hash, &self.runtime.engine)) {
            return Ok(component);
        }
        let invalid = |error| Refusal::Invalid(root(&error));
        let component = Component::from_binary(&self.runtime.engine, bytes).map_err(invalid)?;
        if let Some(cache) = &self.cache
            && let Err(error) = cache.keep_code(hash, &component)
        {
            tracing::warn!(%hash, %error, "compiled code could not be kept");
        }
        Ok(component)
    }

    /// What the component says of itself, the same from two fresh instances, and the fuel that took.
    fn described(&self, component: &StrategyPre<Cap>) -> Result<(Description, u64), Refusal> {
        const PROBE: &str = "describe";
        let once = || {
            let mut instance = Instance::new(&self.runtime, component).map_err(|(error, fault)| match fault {
                Some(fault) => Refusal::Probe { probe: "instantiate", fault },
                None => Refusal::Shape(root(&error)),
            })?;
            let (description, fuel) = instance.call(|world, store| world.call_describe(store));
            let description = description.map_err(|fault| Refusal::Probe { probe: PROBE, fault })?;
            Ok((convert::description_in(description), fuel))
        };
        let (first, second) = (once()?, once()?);
        if first != second {
            return Err(Refusal::NotPure(PROBE));
        }
        Ok((first.0.checked()?, first.1))
    }
}

impl Loaded {
    /// Hash of the component's bytes.
    pub fn hash(&self) -> Digest {
        self.hash
    }

    /// What it says of itself.
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// Most fuel that one call of the probes used.
    pub fn fuel_max(&self) -> u64 {
        self.fuel_max
    }

    /// What a slot is told of it, with the values of its parameters ([`crate::resolve`]).
    pub fn held(&self, parameters: Vec<i64>) -> Held {
        let description = &self.description;
        Held {
            hash: self.hash,
            name: format!("{} {}", description.name, description.version),
            watch: description.watch,
            parameters,
        }
    }

    /// The component ready to be asked.
    pub fn strategy(&self, reuse: Reuse) -> Strategy {
        Strategy::new(self.clone(), reuse)
    }

    /// A fresh instance.
    pub(crate) fn instance(&self) -> Result<Instance, Fault> {
        Instance::new(&self.runtime, &self.component)
            .map_err(|(error, fault)| fault.unwrap_or_else(|| Fault::Trap(root(&error))))
    }

    /// Asks every probe of two fresh instances; the most fuel that one used.
    fn probed(&self) -> Result<u64, Refusal> {
        let mut most = 0;
        for (probe, snapshot) in probes(&self.description) {
            let once = || {
                let (decision, fuel) = self.instance().map(|mut instance| ask(&mut instance, &snapshot))?;
                Ok((decision?, fuel))
            };
            let refuse = |fault: Fault| Refusal::Probe { probe, fault };
            let (first, second) = (once().map_err(refuse)?, once().map_err(refuse)?);
            if first != second {
                return Err(Refusal::NotPure(probe));
            }
            most = most.max(first.1);
        }
        Ok(most)
    }
}

/// Whether the bytes are a component by their header, and not cut off. Compiling says the rest.
fn look_over(bytes: &[u8]) -> Result<(), Refusal> {
    let Some((header, mut rest)) = bytes.split_at_checked(HEADER_BYTES) else {
        // An empty or very short file is most likely one that is being written.
        let begins = MAGIC.starts_with(bytes) || bytes.starts_with(MAGIC);
        return Err(if begins { Refusal::Truncated(bytes.len()) } else { Refusal::NotWasm });
    };
    if !header.starts_with(MAGIC) {
        return Err(Refusal::NotWasm);
    }
    if header[MAGIC.len()..] == CORE {
        return Err(Refusal::CoreModule);
    }
    if header[MAGIC.len()..] != COMPONENT {
        return Err(Refusal::Invalid(format!("unknown version {:02x?}", &header[MAGIC.len()..])));
    }
    while !rest.is_empty() {
        rest = after_section(rest).ok_or(Refusal::Truncated(bytes.len()))?;
    }
    Ok(())
}

/// What follows the first section (a kind, a length in LEB128 and so many bytes), or nothing where it is cut off.
fn after_section(bytes: &[u8]) -> Option<&[u8]> {
    let mut rest = bytes.get(1..)?;
    let mut length = 0usize;
    for shift in (0..35).step_by(7) {
        let (byte, after) = rest.split_first()?;
        rest = after;
        length |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    rest.get(length..)
}

/// Whether a component exports a function of this name.
fn exports_function(component: &Component, name: &str) -> bool {
    let engine = component.engine();
    let exports = component.component_type();
    exports.exports(engine).any(|(export, item)| export == name && matches!(item.ty, ComponentItem::ComponentFunc(_)))
}

/// What a component wants from outside. Instances that hold only types are names, not wants.
fn imports(component: &Component) -> Vec<String> {
    let engine = component.engine();
    let wanted = component.component_type();
    let wanted = wanted.imports(engine).filter(|(_, import)| match &import.ty {
        ComponentItem::ComponentInstance(instance) => {
            instance.exports(engine).any(|(_, export)| !matches!(export.ty, ComponentItem::Type(_)))
        }
        ComponentItem::Type(_) => false,
        _ => true,
    });
    wanted.map(|(name, _)| name.to_owned()).collect()
}

/// The innermost reason of an error, in one line.
fn root(error: &wasmtime::Error) -> String {
    let text = format!("{error:#}");
    text.lines().collect::<Vec<_>>().join(" ")
}
