//! The ERP: posts documents.

use serde::Serialize;

use super::desk::{Decided, Trade};
use super::loyalty::json;
use crate::chance::digest;
use crate::contract::Command;
use crate::ledger::Change;

#[derive(Debug)]
pub(super) struct Erp;

#[derive(Serialize)]
struct Posted<'a> {
    order_id: &'a str,
    document_key: &'a str,
    document_no: String,
}

#[derive(Serialize)]
struct Rejected<'a> {
    order_id: &'a str,
    document_key: &'a str,
    code: &'a str,
}

impl Trade for Erp {
    type Book = ();
    const DOMAIN: &'static str = "erp";

    fn decide(&self, command: &Command<'_>, is_refused: bool, (): &mut ()) -> Option<Decided> {
        if command.name != "post" {
            return None;
        }
        let (order_id, document_key) = (command.key, command.body.document_key.as_ref());
        if is_refused {
            let answer = json(&Rejected { order_id, document_key, code: "period_closed" });
            return Some(Decided::new(("erp", "rejected"), answer, Change::PostRefused));
        }
        let document_no = format!("45{:08}", digest(document_key) % 100_000_000);
        let answer = json(&Posted { order_id, document_key, document_no });
        Some(Decided::new(("erp", "posted"), answer, Change::Posted(document_key.to_owned())))
    }
}
