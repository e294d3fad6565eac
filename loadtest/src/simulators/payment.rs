//! The payment gateways.

use serde::Serialize;

use super::desk::{Decided, Trade};
use super::loyalty::json;
use crate::contract::Command;
use crate::ledger::Change;
use crate::workload::token;

#[derive(Debug)]
pub(super) struct Payment;

#[derive(Serialize)]
struct MoneyAnswer<'a> {
    order_id: &'a str,
    tender: &'a str,
    amount_minor: i64,
    currency: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    authorization_ref: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    settlement_ref: Option<&'a str>,
}

#[derive(Serialize)]
struct Declined<'a> {
    order_id: &'a str,
    tender: &'a str,
    code: &'a str,
    kind: &'a str,
}

impl Trade for Payment {
    type Book = ();
    const DOMAIN: &'static str = "payment";

    fn decide(&self, command: &Command<'_>, is_refused: bool, (): &mut ()) -> Option<Decided> {
        let (order_id, body) = (command.key, &command.body);
        let tender = body.tender.as_ref();
        let amount = MoneyAnswer {
            order_id,
            tender,
            amount_minor: body.amount_minor,
            currency: &body.currency,
            authorization_ref: None,
            settlement_ref: None,
        };
        let (owned, amount_minor) = (tender.to_owned(), body.amount_minor);
        let decided = match command.name {
            "authorize" if is_refused || body.token.starts_with(token::DECLINED) => {
                let answer = json(&Declined { order_id, tender, code: "do_not_honor", kind: "hard" });
                Decided::new(("payment", "declined"), answer, Change::Declined)
            }
            "authorize" => {
                let missing = i64::from(body.token.starts_with(token::SHORT));
                let amount_minor = amount_minor - missing;
                let authorization_ref = Some(format!("auth-{order_id}-{tender}"));
                let answer = json(&MoneyAnswer { amount_minor, authorization_ref, ..amount });
                Decided::new(
                    ("payment", "authorized"),
                    answer,
                    Change::Authorized { tender: owned, amount_minor },
                )
            }
            "capture" => {
                let answer = json(&MoneyAnswer { settlement_ref: Some(&body.settlement_ref), ..amount });
                Decided::new(
                    ("payment", "captured"),
                    answer,
                    Change::Captured { tender: owned, amount_minor },
                )
            }
            "void" => Decided::new(
                ("payment", "voided"),
                json(&amount),
                Change::Voided { tender: owned, amount_minor },
            ),
            _ => return None,
        };
        Some(decided)
    }
}
