//! What every adapter of the bus promises, checked on each of them, and what only a real server can be asked.

// The attribute tells clippy that all of this is test code, functions without `#[test]` included.
#[cfg(test)]
mod contract;
#[cfg(test)]
mod faulty;
#[cfg(test)]
mod memory;
#[cfg(test)]
#[cfg(feature = "nats")]
mod nats;
#[cfg(test)]
mod wire;
