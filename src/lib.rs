//! t
pub mod api;
pub mod cli;
pub mod exit;
/// x
pub fn run(_a: cli::Arguments) -> exit::Exit {
    exit::Exit::Clean
}
