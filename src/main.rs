//! doorbuster
fn main() {}
