//! The command logic against a fake card.

mod commands;
mod fake;
mod hostile;
