//! `order.submit`: a new order is checked and begun; a known one gets its first answer again.

use super::deciding::Deciding;
use super::{advance, apply, cancel};
use crate::decider::Answer;
use crate::envelope::Envelope;
use crate::messages::inbound::{Fee, Line, Submit, Tender};
use crate::messages::text::Text;
use crate::messages::{self, Message};
use crate::money::Minor;
use crate::order::content::{self, AccrualRule, Content, Origin, Redemption};
use crate::order::event::Event;
use crate::order::state::Phase;
use crate::order::supply;
use crate::reason::{Code, Reason};

pub(super) fn submit(
    order: &mut Deciding<'_>,
    envelope: &Envelope,
    submit: &Submit,
) -> Result<Answer, Reason> {
    if order.state.phase != Phase::Unborn {
        return known(order, submit);
    }
    let mut content = freeze(order, envelope, submit);
    let mut problem = content.problem();
    if problem.is_none() {
        let policies = order.context.policies;
        match supply::choose(submit, &policies.stock, &policies.reference) {
            Ok(supply) => content.supply = supply.map(Into::into),
            Err(nonsense) => problem = Some(nonsense),
        }
    }
    if problem.is_none()
        && let Some(reason) = order.context.policies.degraded_modes.refuses(&content, order.context.gates)
    {
        return Err(reason); // nothing is remembered of it: the same order may come again
    }
    let parked = std::mem::take(&mut order.state.parked);
    order.emit(Event::Submitted(Box::new(content)));
    if let Some(problem) = problem {
        reject(order, Reason::new(Code::Validation, problem));
    }
    for early in &parked {
        unpark(order, &early.envelope);
    }
    Ok(Answer::Later)
}

fn known(order: &Deciding<'_>, submit: &Submit) -> Result<Answer, Reason> {
    if order.state.content().content_hash == submit.content_hash() {
        return Ok(Answer::Later);
    }
    Err(Reason::new(
        Code::IdempotencyConflict,
        format!("order {} exists with other content; a changed order needs a new order_id", submit.order_id),
    ))
}

pub(super) fn reject(order: &mut Deciding<'_>, reason: Reason) {
    for hold in order.state.holds.clone() {
        order.emit(Event::HoldResolved { hold });
    }
    let version = order.context.version;
    order.emit(Event::Rejected { reason, version });
    advance::supersede(order);
    super::supply::reject(order);
}

/// A message that came before its order is judged now, as if it had just come; a whole cancel wins over the submit.
fn unpark(order: &mut Deciding<'_>, early: &Envelope) {
    let Ok(addressed) = messages::decode(early) else { return };
    let answer = match &addressed.message {
        Message::Cancel(wish) => cancel::cancel(order, wish),
        message => apply(order, early, message),
    };
    let answer = answer.unwrap_or_else(Answer::Rejected);
    order.settled.insert((early.source().to_owned(), early.id()), answer);
}

fn freeze(order: &Deciding<'_>, envelope: &Envelope, submit: &Submit) -> Content {
    let policies = order.context.policies;
    let now = order.context.now;
    let asked = envelope.headers.get("Commit-Deadline-Ms").and_then(|text| text.parse::<i64>().ok());
    let patience =
        asked.unwrap_or(policies.commit_deadline_ms).clamp(1, policies.commit_deadline_most_ms.max(1));
    let redemption = submit.redemption.as_ref();
    let redemption = Redemption {
        points: redemption.map_or(0, |redeemed| redeemed.points.get()),
        value_minor: redemption.map_or(0, |redeemed| redeemed.value_minor.get()),
    };
    let total_minor = submit.total_minor.get();
    let customer = submit.customer.as_ref();
    Content {
        tenant: order.context.entity.tenant.clone(),
        order_id: submit.order_id.clone(),
        channel: submit.channel.share(),
        currency: submit.currency.as_str().into(),
        customer_id: customer.and_then(|known| known.customer_id.as_ref()).map(Text::share),
        member_id: customer.and_then(|known| known.member_id.as_ref()).map(Text::share),
        lines: submit.lines.iter().map(line).collect(),
        fees: submit.fees.iter().map(fee).collect(),
        total_minor,
        redemption,
        tenders: tenders(&submit.tenders, total_minor - redemption.value_minor),
        ship_to: submit.ship_to.clone(),
        supply: None,
        accrual: submit.accrual.as_ref().map_or(
            AccrualRule {
                points: policies.accrual_points,
                per_minor: policies.accrual_per_minor,
                rule: None,
            },
            |rule| AccrualRule {
                points: rule.points.get(),
                per_minor: rule.per_minor.get(),
                rule: rule.rule.as_ref().map(Text::share),
            },
        ),
        origin: Origin {
            correlation_id: envelope
                .headers
                .get("ce-correlationid")
                .map_or_else(|| envelope.id(), str::to_owned)
                .into(),
            traceparent: envelope.headers.get("traceparent").map(Into::into),
            tracestate: envelope.headers.get("tracestate").map(Into::into),
        },
        content_hash: submit.content_hash(),
        received_at: now,
        commit_deadline: now.plus_ms(patience),
    }
}

fn line(line: &Line) -> content::Line {
    content::Line {
        line: line.line.get(),
        sku: line.sku.share(),
        quantity: line.quantity.get(),
        net_minor: line.net_minor.get(),
        tax_minor: line.tax_minor.get(),
    }
}

fn fee(fee: &Fee) -> content::Fee {
    content::Fee { fee: fee.fee.share(), net_minor: fee.net_minor.get(), tax_minor: fee.tax_minor.get() }
}

/// A tender without an amount pays what those before it leave; only the last may be without.
fn tenders(tenders: &[Tender], cash_due: Minor) -> Vec<content::Tender> {
    let mut left = cash_due;
    tenders
        .iter()
        .map(|tender| {
            let amount_minor = tender.amount_minor.map_or_else(|| left.max(0), messages::leaf::Minor::get);
            left = left.saturating_sub(amount_minor);
            content::Tender {
                tender: tender.tender.share(),
                gateway: tender.gateway.share(),
                token: tender.token.share(),
                amount_minor,
            }
        })
        .collect()
}
