//! Risk: the limits in force and the one place where an intent becomes an order or a refusal.
//!
//! An exchange, live or paper, takes only what is [`Approved`], and only [`Limits::approve`] makes that. A check sees the
//! position and the open orders as the engine has them; open orders count as filled, also those being cancelled, those whose
//! outcome is unknown and those whose last fills have not come.

pub mod check;
pub mod day;
pub mod limits;
pub mod worst_case;

pub use check::{Approved, Intent, SlotState, Standing};
pub use limits::{Limits, StaleRule, Window};
pub use worst_case::Stakes;
