//! way_out
