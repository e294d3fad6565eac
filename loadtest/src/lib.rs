//! The load-test harness: simulated participants, a seeded workload, and an auditor that sees only messages.
//!
//! It speaks the public contract over a bus and knows nothing of how orders are processed, so it judges any server that
//! keeps the contract. Reading order: [`contract`], [`workload`], [`ledger`], [`simulators`], [`auditor`], [`demo`],
//! [`standing`], [`shelving`], [`shoppers`]; beside it [`raw`], which measures the broker alone, and [`table`], what is aimed at and what is reached.

pub mod auditor;
pub mod chance;
pub mod contract;
pub mod demo;
pub mod ledger;
pub mod raw;
pub mod run;
pub mod scenario;
pub mod shelving;
pub mod shoppers;
pub mod simulators;
pub mod standing;
pub mod table;
pub mod workload;
