#![allow(dead_code)]

mod clock;
mod config;
mod decision_log;

fn main() {}
