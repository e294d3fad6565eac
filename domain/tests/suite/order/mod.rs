//! Orders: given what happened, when this comes, then that follows.

mod desk;
mod main_way;
mod random_walk;
