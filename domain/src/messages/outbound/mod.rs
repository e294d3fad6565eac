//! What we send: commands to participants, business events, receipts and dead letters.

pub mod answers;
pub mod commands;
pub mod events;
pub mod letters;
pub mod reservations;
pub mod stock_events;

use serde::Serialize;

/// A body as JSON text.
pub fn render<T: Serialize>(body: &T) -> String {
    serde_json::to_string(body).expect("texts, numbers and lists can always be written")
}
