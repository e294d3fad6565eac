//! Orders: given what happened, when this comes, then that follows.

mod desk;
mod shelf;
mod steps;

mod allocation;
mod any_order;
mod cancels;
mod counters;
mod degraded;
mod departures;
mod documents;
mod gates;
mod holds;
mod main_way;
mod matching;
mod parking;
mod random_walk;
mod refusals;
mod reservations;
mod statuses;
mod stock_races;
mod stock_walk;
mod trouble;
