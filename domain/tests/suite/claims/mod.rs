//! Claims: the engine, without anybody who owns it.

mod book;
mod shared_map;
