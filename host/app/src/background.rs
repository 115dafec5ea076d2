//! Work that nobody waits for: it runs only where everything else leaves a processor free.
//!
//! The SQL tables grow in bursts. Whoever wakes on the same processor meanwhile (the driver for a
//! frame, the network for an order) would wait for up to a millisecond until the kernel takes the burst off.

use thread_priority::{
    NormalThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy, set_thread_priority_and_policy, thread_native_id,
};

/// Starts something whose threads give way to all others: a thread inherits this from the one that starts it.
pub fn behind<T: Send>(start: impl FnOnce() -> T + Send) -> T {
    let start = || {
        let idle = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
        // Where the system does not allow it the work is done all the same.
        if let Err(error) = set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, idle) {
            tracing::info!(?error, "work in the background does not give way");
        }
        start()
    };
    std::thread::scope(|scope| match scope.spawn(start).join() {
        Ok(started) => started,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use thread_priority::thread_schedule_policy;

    #[test]
    fn what_is_started_behind_gives_way_and_the_rest_does_not() {
        let idle = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
        let started = behind(|| std::thread::spawn(thread_schedule_policy));
        assert_eq!(started.join().expect("it does not panic"), Ok(idle));
        assert_ne!(thread_schedule_policy(), Ok(idle));
    }
}
