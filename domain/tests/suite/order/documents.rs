//! ERP documents: what each says, and in which order they go out.

use domain::order::state::Phase;
use serde_json::{Value, json};

use super::desk::{Desk, departed, worked_example};
use super::steps::two_cards;

fn posted(desk: &Desk) -> Vec<String> {
    let keys =
        desk.sent_of("erp.post").into_iter().map(|command| Desk::body(command)["document_key"].clone());
    keys.map(|key| key.as_str().unwrap().to_owned()).collect()
}

#[test]
fn given_a_departure_when_nothing_is_posted_yet_then_documents_go_out_one_after_what_they_depend_on() {
    let mut desk = Desk::with(&worked_example());
    desk.answer_all_but("erp.post");
    desk.cancel(&[(2, 1)]).unwrap();
    desk.answer_all_but("erp.post");
    desk.fact("shipment.departed", &departed("p1", &[(1, 3)]));
    desk.answer_all_but("erp.post");
    let mut expected = vec!["main:o-1:book:1"];
    assert_eq!(posted(&desk), expected);
    let states: Vec<Value> =
        desk.view()["documents"].as_array().unwrap().iter().map(|row| row["state"].clone()).collect();
    assert_eq!(states, ["posting", "queued", "queued", "queued", "queued"]);
    desk.yes_to("erp.post");
    expected.extend(["main:o-1:amend:1", "main:o-1:ship:1"]);
    assert_eq!(posted(&desk), expected);
    desk.yes_to("erp.post");
    assert_eq!(posted(&desk), expected, "nothing depends on the amendment");
    desk.yes_to("erp.post");
    expected.push("main:o-1:invoice:1");
    assert_eq!(posted(&desk), expected);
    desk.yes_to("erp.post");
    expected.push("main:o-1:receipt:1");
    assert_eq!(posted(&desk), expected);
    assert_eq!(desk.phase(), Phase::Fulfilling);
    desk.yes_to("erp.post");
    assert_eq!(desk.phase(), Phase::Completed);
    assert_eq!((desk.count("erp.queued"), desk.count("erp.posted")), (5, 5));
    assert_eq!(desk.told_last("erp.posted")["document_no"], "4500001");
}

#[test]
fn given_the_worked_example_when_its_documents_are_posted_then_rows_and_sums_are_exact() {
    let mut desk = Desk::with(&worked_example());
    desk.yes_to("loyalty.reserve");
    desk.yes_to("payment.authorize");
    desk.cancel(&[(1, 1)]).unwrap();
    desk.say_yes("n-1");
    desk.fact("shipment.departed", &departed("p1", &[(1, 2)]));
    desk.say_yes("n-1");
    let line = |line: u32, sku: &str, quantity: u32, net: i64, tax: i64| json!({"line": line, "sku": sku, "quantity": quantity, "net_minor": net, "tax_minor": tax});
    let fee = json!({"fee": "shipping", "quantity": 1, "net_minor": 499, "tax_minor": 100});
    let book = &desk.documents("book")[0];
    assert_eq!(book["lines"], json!([line(1, "SKU-A", 3, 5000, 1000), line(2, "SKU-B", 1, 1999, 400), fee]));
    assert_eq!(book["tenders"], json!([{"tender": "t1", "amount_minor": 7998}]));
    assert_eq!(book["loyalty_value_minor"], 1000);
    let amend = &desk.documents("amend")[0];
    assert_eq!(amend["loyalty_value_minor"], 223);
    let taken = amend["lines"][0].clone();
    let left = desk.documents("ship")[0]["lines"][0].clone();
    for field in ["net_minor", "tax_minor"] {
        let sum = taken[field].as_i64().unwrap() + left[field].as_i64().unwrap();
        assert_eq!(sum, book["lines"][0][field].as_i64().unwrap(), "{field}");
    }
    assert_eq!((&taken["quantity"], &left["quantity"]), (&json!(1), &json!(2)));
    assert_eq!(taken["net_minor"].as_i64().unwrap() + taken["tax_minor"].as_i64().unwrap(), 1779 + 223);
    let ship = &desk.documents("ship")[0];
    assert_eq!(
        (ship["lines"].as_array().unwrap().len(), ship.get("tenders")),
        (1, None),
        "no fee leaves a shelf"
    );
    let invoice = &desk.documents("invoice")[0];
    assert_eq!((&invoice["lines"][1], &invoice["loyalty_value_minor"]), (&fee, &json!(511)));
    assert_eq!(
        (&invoice["shipment_id"], &invoice["depends_on"]),
        (&json!("o-1-s1"), &json!(["main:o-1:ship:1"]))
    );
    let receipt = &desk.documents("receipt")[0];
    let paid = json!({"tender": "t1", "amount_minor": 4086, "settlement_ref": "main:o-1:payment.capture:1"});
    assert_eq!((&receipt["lines"], &receipt["tenders"]), (&json!([]), &json!([paid])));
    assert_eq!(receipt["depends_on"], json!(["main:o-1:invoice:1"]));
}

#[test]
fn given_two_cards_when_parcels_leave_then_each_capture_has_a_receipt_after_its_own_invoice() {
    let mut desk = Desk::released(&two_cards());
    desk.fact("shipment.departed", &departed("p1", &[(1, 2)]));
    desk.fact("shipment.departed", &departed("p2", &[(2, 2)]));
    // The captures of the second parcel are answered first.
    for at in [3, 2, 1, 0] {
        let capture = desk.sent_of("payment.capture")[at].clone();
        desk.answer_to(&capture, "payment.captured", &Desk::body(&capture));
    }
    desk.ends_as(Phase::Completed);
    let receipts = desk.documents("receipt");
    let of: Vec<&Value> = receipts.iter().map(|receipt| &receipt["depends_on"][0]).collect();
    assert_eq!(of.iter().filter(|invoice| **invoice == "main:o-1:invoice:1").count(), 2);
    for invoice in desk.documents("invoice") {
        let value: i64 = invoice["lines"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["net_minor"].as_i64().unwrap() + row["tax_minor"].as_i64().unwrap())
            .sum();
        let paid: i64 = receipts
            .iter()
            .filter(|receipt| receipt["depends_on"][0] == invoice["document_key"])
            .map(|receipt| receipt["tenders"][0]["amount_minor"].as_i64().unwrap())
            .sum();
        assert_eq!(value, paid, "{}", invoice["document_key"]);
    }
    let captured = |tender: &str| -> i64 {
        let captures = desk.sent_of("payment.capture").into_iter().map(Desk::body);
        captures
            .filter(|body| body["tender"] == tender)
            .map(|body| body["amount_minor"].as_i64().unwrap())
            .sum()
    };
    assert_eq!((captured("t1"), captured("t2")), (2000, 3160));
}

#[test]
fn given_a_document_that_the_erp_rejects_when_the_rest_is_done_then_the_order_stays_open_with_an_exception() {
    let mut desk = Desk::with(&worked_example());
    desk.answer_all_but("erp.post");
    let book = json!({"document_key": "main:o-1:book:1", "code": "no_customer"});
    desk.answer("erp.post", "erp.rejected", &book);
    assert_eq!(desk.exceptions(), ["effect_refused"]);
    assert_eq!(desk.told_last("erp.rejected")["document_key"], "main:o-1:book:1");
    assert_eq!(desk.status("erp"), "exception");
    desk.fact("shipment.departed", &departed("p1", &[(1, 3), (2, 1)]));
    desk.say_yes("n-1");
    assert_eq!(posted(&desk), ["main:o-1:book:1"], "what depends on it waits");
    assert_eq!(desk.phase(), Phase::Fulfilling);
    assert_eq!(desk.numbers("payment.capture", "amount_minor"), [7998], "the customer's way goes on");
    assert_eq!(desk.count("order.completed"), 0);
}
