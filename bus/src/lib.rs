//! Everything that crosses NATS, as ports, and the adapters behind them.

pub mod ports;
