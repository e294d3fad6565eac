//! Orders: given what happened, when this comes, then that follows.

mod desk;
mod steps;

mod allocation;
mod cancels;
mod main_way;
mod random_walk;
mod refusals;
