//! The messages of a perfect product for the worked example, written by hand, so that a test can spoil one of them.

use bus::ports::Stored;
use domain::envelope::Headers;
use loadtest::auditor::{Auditor, Settings, Verdict};
use loadtest::contract::{Command, LineQuantity};
use loadtest::ledger::{Change, Entry};
use loadtest::workload::{Ends, worked_example};
use serde_json::{Value, json};

/// Something that the auditor is shown.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    Command { domain: &'static str, name: &'static str, effect: String, epoch: u32, key: String, body: Value },
    Applied { key: String, effect: String, change: Change },
    Page(Vec<Value>),
    Asked,
    Receipt(bool),
}

/// All that is seen of one order.
#[derive(Debug, Clone)]
pub(crate) struct Story {
    pub(crate) order: String,
    pub(crate) steps: Vec<Step>,
    sequence: u64,
    version: u64,
}

pub(crate) fn units(line: u32, quantity: u32) -> Vec<LineQuantity> {
    vec![LineQuantity { line, quantity }]
}

/// A parcel left the only node.
pub(crate) fn departed(lines: Vec<LineQuantity>) -> Change {
    Change::Departed { node: "n-1".to_owned(), lines }
}

impl Story {
    fn new(order: &str) -> Self {
        Self { order: order.to_owned(), steps: Vec::new(), sequence: 0, version: 0 }
    }

    /// A command is read and applied.
    fn effect(&mut self, kind: (&'static str, &'static str), ordinal: u32, mut body: Value, change: Change) {
        let (domain, name) = kind;
        body["order_id"] = json!(self.order);
        let effect = format!("main:{}:{domain}.{name}:{ordinal}", self.order);
        let key = format!("key-{effect}");
        self.steps.push(Step::Command {
            domain,
            name,
            effect: effect.clone(),
            epoch: 1,
            key: key.clone(),
            body,
        });
        self.steps.push(Step::Applied { key, effect, change });
    }

    /// A document goes out and is posted.
    fn document(&mut self, kind: &str, number: u32, needs: &[&str], mut body: Value) {
        let key = |name: &str| format!("main:{}:{name}", self.order);
        let document_key = key(&format!("{kind}:{number}"));
        body["document"] = json!(kind);
        body["document_key"] = json!(document_key);
        body["currency"] = json!("EUR");
        body["depends_on"] = needs.iter().map(|need| json!(key(need))).collect();
        let ordinal = u32::try_from(self.steps.len()).unwrap();
        self.effect(("erp", "post"), ordinal, body, Change::Posted(document_key));
        self.page(&[("erp.queued", json!({})), ("erp.posted", json!({}))]);
    }

    /// A journal record is told.
    fn page(&mut self, events: &[(&str, Value)]) {
        self.version += 1;
        let rows = events.iter().map(|(kind, data)| {
            self.sequence += 1;
            let mut data = data.clone();
            data["order_id"] = json!(self.order);
            json!({"type": kind, "key": self.order, "id": format!("e-{}-{}", self.order, self.sequence),
                   "sequence": self.sequence, "order_version": self.version,
                   "time": "2026-11-27T08:00:00Z", "correlation_id": "c", "data": data})
        });
        let rows = rows.collect();
        self.steps.push(Step::Page(rows));
    }
}

/// The worked example: two of A and the fee leave, then B, then the last A is cancelled.
pub(crate) fn worked_story(order: &str) -> Story {
    let mut story = Story::new(order);
    let tender = |amount: i64| json!({"tender": "t1", "amount_minor": amount, "currency": "EUR", "settlement_ref": format!("s-{amount}")});
    let t1 = || "t1".to_owned();
    story.page(&[("order.received", json!({}))]);
    story.effect(
        ("loyalty", "reserve"),
        1,
        json!({"points": 2000, "value_minor": 1000}),
        Change::PointsReserved(2000),
    );
    story.page(&[("loyalty.reserved", json!({"points": 2000}))]);
    story.effect(
        ("payment", "authorize"),
        1,
        tender(7998),
        Change::Authorized { tender: t1(), amount_minor: 7998 },
    );
    story.page(&[
        ("payment.authorized", tender(7998)),
        ("order.committed", json!({})),
        ("order.accepted", json!({})),
    ]);
    story.steps.push(Step::Receipt(true));
    let row = |line: u32, quantity: u32, net: i64, tax: i64| json!({"line": line, "sku": "S", "quantity": quantity, "net_minor": net, "tax_minor": tax});
    let fee = json!({"fee": "shipping", "quantity": 1, "net_minor": 499, "tax_minor": 100});
    story.document("book", 1, &[], json!({"lines": [row(1, 3, 5000, 1000), row(2, 1, 1999, 400), fee]}));
    let all = [units(1, 3), units(2, 1)].concat();
    story.effect(
        ("allocation", "allocate"),
        1,
        json!({}),
        Change::Allocated { units: all, refused: Vec::new() },
    );
    story.page(&[
        ("stock.allocated", json!({})),
        ("shipment.requested", json!({})),
        ("order.fulfilling", json!({})),
    ]);
    story.effect(("fulfillment", "release"), 1, json!({"shipment_id": "sh-1"}), Change::ShipmentAccepted);
    story.page(&[("shipment.accepted", json!({}))]);

    let invoice = json!({"lines": [row(1, 2, 3331, 667), fee]});
    shipped(&mut story, 1, (1, 2), (4086, 1023, 29, 29), &invoice);
    shipped(&mut story, 2, (2, 1), (2133, 532, 18, 47), &json!({"lines": [row(2, 1, 1999, 400)]}));

    story.steps.push(Step::Asked);
    story.effect(("fulfillment", "cancel"), 1, json!({"shipment_id": "sh-1"}), Change::CancelAccepted);
    story.page(&[("shipment.cancelled", json!({"lines": units(1, 1)}))]);
    story.effect(("allocation", "release"), 1, json!({}), Change::AllocationReleased(units(1, 1)));
    story.effect(("payment", "void"), 1, tender(1779), Change::Voided { tender: t1(), amount_minor: 1779 });
    story.effect(("loyalty", "release"), 1, json!({"points": 445}), Change::PointsReleased(445));
    story.page(&[("payment.voided", tender(1779)), ("loyalty.released", json!({"points": 445}))]);
    story.document("amend", 1, &["book:1"], json!({"lines": [row(1, 1, 1669, 333)]}));
    story.page(&[("order.completed", json!({})), ("order.status_changed", json!({"status": {}}))]);
    story
}

/// A parcel leaves, and everything that follows from it.
fn shipped(story: &mut Story, parcel: u32, gone: (u32, u32), sums: (i64, i64, i64, i64), invoice: &Value) {
    let (captured, points, delta, target) = sums;
    let lines = units(gone.0, gone.1);
    let change = departed(lines.clone());
    story.steps.push(Step::Applied { key: format!("sh-1/p{parcel}"), effect: String::new(), change });
    story.page(&[("shipment.dispatched", json!({"lines": lines}))]);
    let settlement = format!("s-{captured}");
    let money = json!({"tender": "t1", "amount_minor": captured, "settlement_ref": settlement});
    let taken = Change::Captured { tender: "t1".to_owned(), amount_minor: captured };
    story.effect(("payment", "capture"), parcel, money.clone(), taken);
    story.effect(("loyalty", "finalize"), parcel, json!({"points": points}), Change::PointsFinalized(points));
    let accrual = json!({"points_delta": delta, "target_points": target});
    story.effect(("loyalty", "accrue"), parcel, accrual.clone(), Change::PointsAccrued(delta));
    story.page(&[
        ("payment.captured", money.clone()),
        ("loyalty.finalized", json!({"points": points})),
        ("loyalty.accrued", accrual),
    ]);
    story.document("ship", parcel, &["book:1"], json!({"lines": lines}));
    story.document("invoice", parcel, &[&format!("ship:{parcel}")], invoice.clone());
    story.document(
        "receipt",
        parcel,
        &[&format!("invoice:{parcel}")],
        json!({"lines": [], "tenders": [money]}),
    );
}

/// An auditor, and the records that it was shown.
#[derive(Debug)]
pub(crate) struct Court {
    pub(crate) auditor: Auditor,
    records: u64,
}

impl Court {
    pub(crate) fn new(quiet_orders: usize) -> Self {
        let settings = Settings { prefix: "o-".to_owned(), quiet_orders, patient: true };
        Self { auditor: Auditor::new(settings), records: 0 }
    }

    pub(crate) fn hear(&mut self, story: &Story) {
        self.auditor.submitted(&worked_example(&story.order), Ends::COMPLETED);
        for step in &story.steps {
            self.step(&story.order, step);
        }
    }

    pub(crate) fn step(&mut self, order: &str, step: &Step) {
        match step {
            Step::Command { domain, name, effect, epoch, key, body } => {
                let headers = Headers::new()
                    .with("Key", order)
                    .with("Effect-Id", effect.clone())
                    .with("Effect-Epoch", epoch.to_string())
                    .with("Idempotency-Key", key.clone());
                let message = stored(format!("retail.v1.cmd.main.{domain}.{name}.0"), headers, body);
                self.auditor.command(&Command::read(&message).unwrap());
            }
            Step::Applied { key, effect, change } => {
                self.auditor.applied(Entry { order, key, effect_id: effect, change });
            }
            Step::Page(events) => {
                self.records += 1;
                let body = json!({"partition": 0, "journal_sequence": self.records, "events": events});
                self.auditor.page(&stored("retail.v1.evt.main.all.page.0".to_owned(), Headers::new(), &body));
            }
            Step::Asked => self.auditor.asked(order),
            Step::Receipt(accepted) => self.auditor.receipt(order, *accepted),
        }
    }
}

/// The verdict on one story.
pub(crate) fn verdict(story: &Story) -> Verdict {
    let mut court = Court::new(10);
    court.hear(story);
    court.auditor.verdict()
}

fn stored(subject: String, headers: Headers, body: &Value) -> Stored {
    Stored { subject, headers, body: body.to_string().into(), sequence: 1, timestamp_ns: 1 }
}
