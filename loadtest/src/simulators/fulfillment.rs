//! Warehouses and stores: take work, send parcels, let go of what has not left.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::allocation::parts;
use super::desk::{Decided, Departure, Trade};
use super::loyalty::json;
use crate::contract::{Command, CommandBody, LineQuantity, quantities};
use crate::ledger::Change;

/// How long a parcel takes to be packed.
#[derive(Debug)]
pub(super) struct Fulfillment {
    pub(super) packing: Duration,
}

/// One shipment as its node knows it: what is still here, by line.
#[derive(Debug)]
pub(super) struct Shipment {
    node: String,
    here: BTreeMap<u32, u32>,
    parcels: u32,
}

#[derive(Serialize)]
struct Accepted<'a> {
    order_id: &'a str,
    shipment_id: &'a str,
    node: &'a str,
}

#[derive(Serialize)]
struct Cancelled<'a> {
    order_id: &'a str,
    shipment_id: &'a str,
    lines: Vec<LineQuantity>,
}

#[derive(Serialize)]
struct DepartedFact<'a> {
    order_id: &'a str,
    shipment_id: &'a str,
    parcel_id: String,
    node: &'a str,
    carrier: &'a str,
    tracking: String,
    lines: &'a [LineQuantity],
    departed_at: &'a str,
}

impl Trade for Fulfillment {
    type Book = BTreeMap<String, Shipment>;
    const DOMAIN: &'static str = "fulfillment";

    fn decide(&self, command: &Command<'_>, is_refused: bool, book: &mut Self::Book) -> Option<Decided> {
        let (order_id, body) = (command.key, &command.body);
        match command.name {
            "release" => Some(release(order_id, body, book)),
            "cancel" => Some(cancel(order_id, body, is_refused, book)),
            _ => None,
        }
    }

    fn depart(
        &self,
        order_id: &str,
        shipment_id: &str,
        parcel: u32,
        book: &mut Self::Book,
    ) -> Option<Departure> {
        let shipment = book.get_mut(shipment_id)?;
        let after = shipment.parcels.saturating_sub(parcel);
        let mut lines = Vec::new();
        for (line, here) in &mut shipment.here {
            // The last parcel takes what is left; the others an even share.
            let quantity = *here / (after + 1);
            if quantity > 0 {
                *here -= quantity;
                lines.push(LineQuantity { line: *line, quantity });
            }
        }
        if lines.is_empty() {
            return None;
        }
        let parcel_id = format!("p{parcel}");
        let body = json(&DepartedFact {
            order_id,
            shipment_id,
            parcel_id: parcel_id.clone(),
            node: &shipment.node,
            carrier: "dhl",
            tracking: format!("T-{shipment_id}-{parcel_id}"),
            lines: &lines,
            departed_at: "2026-11-27T10:00:00Z",
        });
        Some(Departure {
            parcel: format!("{shipment_id}/{parcel_id}"),
            body,
            change: Change::Departed { node: shipment.node.clone(), lines },
        })
    }

    fn parcel_gap(&self) -> Duration {
        self.packing
    }
}

fn release(order_id: &str, body: &CommandBody<'_>, book: &mut BTreeMap<String, Shipment>) -> Decided {
    let (shipment_id, node) = (body.shipment_id.as_ref(), body.node.as_ref());
    let mut here = BTreeMap::new();
    for row in &body.lines {
        *here.entry(row.line.unwrap_or(0)).or_insert(0) += row.quantity;
    }
    let parcels = parts(body, "-p");
    book.insert(shipment_id.to_owned(), Shipment { node: node.to_owned(), here, parcels });
    let answer = json(&Accepted { order_id, shipment_id, node });
    Decided { parcels, ..Decided::new(("shipment", "accepted"), answer, Change::ShipmentAccepted) }
}

fn cancel(
    order_id: &str,
    body: &CommandBody<'_>,
    is_refused: bool,
    book: &mut BTreeMap<String, Shipment>,
) -> Decided {
    let shipment_id = body.shipment_id.as_ref();
    let wanted: BTreeMap<u32, u32> =
        body.lines.iter().filter_map(|row| Some((row.line?, row.quantity))).collect();
    let answer = json(&Cancelled { order_id, shipment_id, lines: quantities(&wanted) });
    let shipment = book.get_mut(shipment_id).filter(|shipment| {
        !is_refused
            && wanted.iter().all(|(line, units)| shipment.here.get(line).is_some_and(|here| here >= units))
    });
    let Some(shipment) = shipment else {
        return Decided::new(("shipment", "cancel_rejected"), answer, Change::CancelRejected);
    };
    for (line, units) in &wanted {
        if let Some(here) = shipment.here.get_mut(line) {
            *here -= units;
        }
    }
    Decided::new(("shipment", "cancel_accepted"), answer, Change::CancelAccepted)
}
