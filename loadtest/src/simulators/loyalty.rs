//! The loyalty platform.

use serde::Serialize;

use super::desk::{Decided, Trade};
use crate::contract::Command;
use crate::ledger::Change;
use crate::workload::token;

#[derive(Debug)]
pub(super) struct Loyalty;

#[derive(Serialize)]
struct PointsAnswer<'a> {
    order_id: &'a str,
    points: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    reservation_ref: Option<String>,
}

#[derive(Serialize)]
struct Accrued<'a> {
    order_id: &'a str,
    points_delta: i64,
    target_points: i64,
}

#[derive(Serialize)]
struct Refused<'a> {
    order_id: &'a str,
    code: &'a str,
}

impl Trade for Loyalty {
    type Book = ();
    const DOMAIN: &'static str = "loyalty";

    fn decide(&self, command: &Command<'_>, is_refused: bool, (): &mut ()) -> Option<Decided> {
        let (order_id, body) = (command.key, &command.body);
        let points = body.points;
        let simple = || json(&PointsAnswer { order_id, points, reservation_ref: None });
        let decided = match command.name {
            "reserve" if is_refused || body.member_id.starts_with(token::POOR_MEMBER) => {
                let answer = json(&Refused { order_id, code: "low_balance" });
                Decided::new(("loyalty", "reserve_refused"), answer, Change::PointsRefused)
            }
            "reserve" => {
                let answer = json(&PointsAnswer {
                    order_id,
                    points,
                    reservation_ref: Some(format!("res-{order_id}")),
                });
                Decided::new(("loyalty", "reserved"), answer, Change::PointsReserved(points))
            }
            "finalize" => Decided::new(("loyalty", "finalized"), simple(), Change::PointsFinalized(points)),
            "release" => Decided::new(("loyalty", "released"), simple(), Change::PointsReleased(points)),
            "accrue" => {
                let (points_delta, target_points) = (body.points_delta, body.target_points);
                let answer = json(&Accrued { order_id, points_delta, target_points });
                Decided::new(("loyalty", "accrued"), answer, Change::PointsAccrued(points_delta))
            }
            _ => return None,
        };
        Some(decided)
    }
}

/// A body as JSON.
pub(super) fn json(body: &impl Serialize) -> String {
    serde_json::to_string(body).expect("a struct with named fields always becomes JSON")
}
