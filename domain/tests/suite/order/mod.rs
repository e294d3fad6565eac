//! Orders: given what happened, when this comes, then that follows.

mod desk;
mod steps;

mod allocation;
mod any_order;
mod cancels;
mod degraded;
mod departures;
mod documents;
mod gates;
mod main_way;
mod matching;
mod parking;
mod random_walk;
mod refusals;
mod statuses;
mod trouble;
