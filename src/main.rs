//! The command line of Doorbuster: reads what is asked, does it, and says by its exit code how it went.

use std::process::ExitCode;

use clap::Parser;
use doorbuster::cli::Arguments;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    // A usage error ends here with exit code 2 and the usage on stderr; `--help` and `--version` with 0.
    let arguments = Arguments::parse();
    doorbuster::run(arguments).into()
}
