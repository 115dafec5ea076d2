//! The WebAssembly engine and one fresh instance of a component in it: fuel, time and memory.
//!
//! Fuel is the contract, since it is the same everywhere; the deadline is the backstop for a machine that stands still.

use crate::bindings::{Strategy as World, StrategyPre};
use crate::error::Error;
use isobar_engine::event::Fault;
use std::thread;
use std::time::Duration;
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, ResourceLimiter, Store, Trap,
};

/// How often the deadline's clock advances.
const TICK: Duration = Duration::from_millis(10);
/// Instances that may live at once, of all slots together.
const INSTANCES: u32 = 256;
/// Memory of a slot of the pool that stays mapped between two instances. What a fresh instance costs is page faults.
const KEEP_RESIDENT: usize = 1 << 20;

/// What a component may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Fuel of one call, about one unit an instruction.
    pub fuel: u64,
    /// Bytes of linear memory.
    pub memory: usize,
    /// Bytes of the component's file.
    pub file: u64,
    /// Wall time of one call. Checked every 10 ms, and only to end what fuel should have ended.
    pub deadline: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { fuel: 50_000_000, memory: 64 << 20, file: 64 << 20, deadline: Duration::from_millis(500) }
    }
}

/// An engine with its limits.
#[derive(Clone)]
pub(crate) struct Runtime {
    pub engine: Engine,
    pub limits: Limits,
}

impl Runtime {
    pub fn new(limits: Limits) -> Result<Self, Error> {
        let mut pool = PoolingAllocationConfig::new();
        pool.total_component_instances(INSTANCES)
            .total_core_instances(INSTANCES * 4)
            .total_memories(INSTANCES)
            .total_tables(INSTANCES * 4)
            .max_memories_per_component(1)
            .max_memory_size(limits.memory)
            .max_unused_warm_slots(INSTANCES)
            .linear_memory_keep_resident(KEEP_RESIDENT)
            .table_keep_resident(KEEP_RESIDENT)
            .pagemap_scan(Enabled::Auto);
        let mut config = Config::new();
        config
            .allocation_strategy(InstanceAllocationStrategy::Pooling(pool))
            .wasm_component_model(true)
            .consume_fuel(true)
            .epoch_interruption(true)
            .cranelift_nan_canonicalization(true)
            .wasm_relaxed_simd(false)
            .wasm_backtrace_max_frames(None);
        let engine = Engine::new(&config).map_err(|error| Error::Engine(format!("{error:#}")))?;
        let clock = engine.weak();
        thread::Builder::new()
            .name("deadline".to_owned())
            .spawn(move || {
                while let Some(engine) = clock.upgrade() {
                    engine.increment_epoch();
                    drop(engine);
                    thread::sleep(TICK);
                }
            })
            .map_err(|error| Error::Engine(error.to_string()))?;
        Ok(Self { engine, limits })
    }

    /// Ticks of the deadline's clock until a call is ended; one more, since the first may come at once.
    fn deadline(&self) -> u64 {
        u64::try_from(self.limits.deadline.as_millis().div_ceil(TICK.as_millis())).unwrap_or(u64::MAX / 2) + 1
    }
}

/// One instance.
pub(crate) struct Instance {
    store: Store<Cap>,
    world: World,
    fuel: u64,
    deadline: u64,
}

impl Instance {
    /// A fresh instance. The error is the engine's: [`fault_of`] reads it.
    pub fn new(runtime: &Runtime, component: &StrategyPre<Cap>) -> Result<Self, (wasmtime::Error, Option<Fault>)> {
        let mut store = Store::new(&runtime.engine, Cap { memory: runtime.limits.memory, denied: false });
        store.limiter(|cap| cap);
        store.set_epoch_deadline(runtime.deadline());
        store.set_fuel(runtime.limits.fuel).expect("the engine counts fuel");
        match component.instantiate(&mut store) {
            Ok(world) => Ok(Self { store, world, fuel: runtime.limits.fuel, deadline: runtime.deadline() }),
            Err(error) => {
                let fault = fault_of(&error, store.data());
                Err((error, fault))
            }
        }
    }

    /// One call with full fuel: its result and the fuel that it used. After a fault the instance is of no more use.
    pub fn call<R>(
        &mut self,
        call: impl FnOnce(&World, &mut Store<Cap>) -> wasmtime::Result<R>,
    ) -> (Result<R, Fault>, u64) {
        self.store.set_fuel(self.fuel).expect("the engine counts fuel");
        self.store.set_epoch_deadline(self.deadline);
        let result = call(&self.world, &mut self.store).map_err(|error| {
            let text = || Fault::Contract(error.to_string());
            fault_of(&error, self.store.data()).unwrap_or_else(text)
        });
        let left = self.store.get_fuel().expect("the engine counts fuel");
        (result, self.fuel - left)
    }
}

/// The fault behind an error of a guest, or nothing where the error is not the guest's running.
fn fault_of(error: &wasmtime::Error, cap: &Cap) -> Option<Fault> {
    if cap.denied {
        return Some(Fault::OutOfMemory);
    }
    Some(match error.downcast_ref::<Trap>()? {
        Trap::OutOfFuel => Fault::OutOfFuel,
        Trap::Interrupt => Fault::Deadline,
        trap => Fault::Trap(trap.to_string()),
    })
}

/// Cap on a guest's memory. Growing beyond it ends the call, so that the fault says what happened.
pub(crate) struct Cap {
    memory: usize,
    denied: bool,
}

impl ResourceLimiter for Cap {
    fn memory_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        self.denied |= desired > self.memory;
        if self.denied {
            wasmtime::bail!("more memory than the cap of {} bytes", self.memory);
        }
        Ok(true)
    }

    fn table_growing(&mut self, _: usize, _: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        Ok(true) // The pool bounds the size of tables.
    }
}
