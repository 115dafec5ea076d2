//! Generated from `wit/v1`. Nothing of it leaves this crate.

#![allow(missing_docs, unsafe_code, rust_2018_idioms, clippy::all)]

wasmtime::component::bindgen!({
    path: "../../wit/v1",
    world: "strategy",
    ownership: Borrowing { duplicate_if_necessary: true },
});
