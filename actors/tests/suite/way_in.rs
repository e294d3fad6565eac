//! way_in
