//! What a trading rule in Rust is written with: the types of the WIT world and the arithmetic that every rule needs.
//!
//! A rule is two plain functions, `describe() -> Description` and `decide(&Snapshot) -> Decision`, made a component by
//! [`export!`]; natively they are ordinary functions with ordinary tests. Fees and price ladders are the engine's own
//! code, so a rule and the ledger never disagree. No clock, randomness, files or floats.

extern crate self as isobar_strategy;

/// Generated from `wit/v1`.
#[allow(missing_docs, unsafe_code, rust_2018_idioms, clippy::all)]
pub mod bindings {
    wit_bindgen::generate!({
        path: "../../wit/v1",
        world: "strategy",
        pub_export_macro: true,
        export_macro_name: "export_component",
        default_bindings_module: "isobar_strategy::bindings",
        runtime_path: "isobar_strategy::wit_bindgen::rt",
        additional_derives: [PartialEq],
        generate_unused_types: true,
    });
}
#[doc(hidden)]
pub use wit_bindgen;

pub mod answer;
#[cfg(target_arch = "wasm32")]
mod arena;
pub mod market;

pub use bindings::isobar::strategy::types::*;

/// Makes the component out of `describe: fn() -> Description` and `decide: fn(&Snapshot) -> Decision`.
///
/// Natively it expands to nothing, so that tests can link several rules.
#[macro_export]
macro_rules! export {
    ($describe:path, $decide:path) => {
        #[cfg(target_arch = "wasm32")]
        mod component {
            struct Rule;
            impl $crate::bindings::Guest for Rule {
                fn describe() -> $crate::Description {
                    $describe()
                }
                fn decide(snapshot: $crate::Snapshot) -> Result<$crate::Decision, String> {
                    Ok($decide(&snapshot))
                }
            }
            #[allow(unsafe_code)]
            mod exported {
                $crate::bindings::export_component!(Rule with_types_in $crate::bindings);
                use super::Rule;
            }
        }
    };
}
