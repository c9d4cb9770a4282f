//! Comparisons say what runs can carry and nothing more.

mod command;
mod false_alarms;
mod rules;
#[path = "../sample/mod.rs"]
mod sample;
