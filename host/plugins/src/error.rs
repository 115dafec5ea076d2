//! Why the host does not start, why a component is not loaded, why a parameter is not taken.

use isobar_engine::event::Fault;
use std::io;
use std::path::PathBuf;

/// The host cannot work here.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The WebAssembly engine does not start with these limits on this machine.
    #[error("the WebAssembly engine does not start: {0}")]
    Engine(String),
    /// A folder cannot be used.
    #[error("cannot use the folder {path}: {source}")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The system does not tell about changes in a folder.
    #[error("cannot watch the folder {path}: {reason}")]
    Watch {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
}

/// Why a component is not loaded. The version that runs goes on.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The file cannot be read.
    #[error("cannot read {path}: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// More bytes than a component may have.
    #[error("larger than the {limit} bytes that a component may have")]
    TooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// Not WebAssembly at all.
    #[error("not a WebAssembly file")]
    NotWasm,
    /// It ends inside a section, after this many bytes: most likely it is still being written.
    #[error("truncated after {0} bytes; perhaps still being written")]
    Truncated(usize),
    /// A core module, not a component.
    #[error("a core module, not a component: link it with wasm-component-ld or `wasm-tools component new`")]
    CoreModule,
    /// A component that does not validate or compile here.
    #[error("not a valid component: {0}")]
    Invalid(String),
    /// It wants something from outside. Guests import nothing.
    #[error("imports {}, and a strategy may import nothing", .0.join(", "))]
    Imports(Vec<String>),
    /// It lacks an export of the world.
    #[error("not of the world {world}: {0}", world = crate::WORLD)]
    World(String),
    /// Its exports have the right names and the wrong types: built against another version of the WIT package.
    #[error("its types are not those of {world}: {0}", world = crate::WORLD)]
    Shape(String),
    /// What it says of itself is outside the contract.
    #[error("its description is not acceptable: {0}")]
    Description(String),
    /// It failed on a snapshot that every strategy must answer.
    #[error("fails on the probe `{probe}`: {}", describe(.fault))]
    Probe {
        /// Name of the probe.
        probe: &'static str,
        /// How.
        fault: Fault,
    },
    /// Two fresh instances answered the same question differently.
    #[error("answers the probe `{0}` differently the second time")]
    NotPure(&'static str),
}

/// A fault in words.
fn describe(fault: &Fault) -> String {
    match fault {
        Fault::OutOfFuel => "out of fuel (an endless loop?)".to_owned(),
        Fault::OutOfMemory => "out of memory".to_owned(),
        Fault::Trap(text) => format!("trap: {text}"),
        Fault::Refused(text) => format!("it returns the error: {text}"),
        Fault::Contract(text) => format!("outside the contract: {text}"),
        Fault::NotPure => "not a pure function".to_owned(),
        Fault::Deadline => "takes too long".to_owned(),
    }
}

/// Why a value of a parameter is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParameterError {
    /// The component declares no such parameter.
    #[error("{strategy} has no parameter {name}; it has {known}")]
    Unknown {
        /// Name of the component.
        strategy: String,
        /// The name that was given.
        name: String,
        /// The names that it has.
        known: String,
    },
    /// Given twice.
    #[error("{0} is given twice")]
    Twice(String),
    /// Not a decimal number, or finer than its unit.
    #[error("{name} = {text}: {reason}")]
    Number {
        /// The parameter.
        name: String,
        /// What was given.
        text: String,
        /// Why it is no value.
        reason: &'static str,
    },
    /// Outside the range that the component allows.
    #[error("{name} = {text} is outside {minimum} to {maximum}")]
    Range {
        /// The parameter.
        name: String,
        /// What was given.
        text: String,
        /// Least value, in words.
        minimum: String,
        /// Greatest value, in words.
        maximum: String,
    },
}
