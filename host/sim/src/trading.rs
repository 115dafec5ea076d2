//! Clients' trading: accounts, orders in price-time priority, fills, fees, groups, payment.
//!
//! Integers throughout, no clock, no chance. Orders of clients meet each other and the background liquidity of the scene:
//! a level of a book is the sum of both, and whoever came first trades first. Rules: PROTOCOL.md 3.5, 3.6, 4 and 7.

mod account;
mod background;
mod changing;
mod groups;
mod lifecycle;
mod matching;
mod order;
mod placing;
mod resting;

pub(crate) use account::{Account, Fill, Holding, House, Settlement};
pub(crate) use changing::{Amendment, Cut};
pub(crate) use order::{Key, NewOrder, Order, Owner, Reason, SelfTrade, TimeInForce, side};
pub(crate) use placing::Placed;
pub(crate) use resting::Resting;
