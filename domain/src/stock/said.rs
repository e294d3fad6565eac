//! What a fact says, in so few bits that a cell can remember it of every movement.

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use super::message::{Message, moment};
use crate::claims::Mark;
use crate::messages::text::{Moment, Text};

/// 32 bits of a digest of everything that a fact says besides its `movement_id`. Of two facts that say different things one in four
/// billion pairs looks alike; what is lost then is a word about it, for the first of them counts in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Said(NonZeroU32);

impl Said {
    /// What this fact says; none for a question. Moments count as moments, however they are spelled.
    pub(super) fn of(message: &Message) -> Option<Self> {
        let (word, content) = match message {
            Message::Baseline(count) => {
                let (safety, cap) = (number(count.safety), number(count.oversell_cap));
                ("baseline", vec![count.on_hand.get().to_string(), safety, cap, at(Some(&count.as_of))])
            }
            Message::Received(receipt) => {
                ("received", vec![receipt.quantity.get().to_string(), text(receipt.reference.as_ref())])
            }
            Message::Adjusted(adjustment) => {
                let reason = adjustment.reason.as_str().to_owned();
                ("adjusted", vec![adjustment.delta.get().to_string(), reason])
            }
            Message::Inbound(inbound) => {
                ("inbound", vec![inbound.quantity.get().to_string(), at(Some(&inbound.expected_at))])
            }
            Message::SetAside(aside) => {
                let promotion = aside.promotion.as_str().to_owned();
                ("set_aside", vec![promotion, aside.quantity.to_string(), at(aside.until.as_ref())])
            }
            Message::Question(_) => return None,
        };
        Some(Self(Mark::of_content(word, &content.join("\0")).short()))
    }
}

fn number(number: Option<u32>) -> String {
    number.map(|number| number.to_string()).unwrap_or_default()
}

fn text(text: Option<&Text>) -> String {
    text.map(|text| text.as_str().to_owned()).unwrap_or_default()
}

fn at(at: Option<&Moment>) -> String {
    at.map(|at| moment(at).0.to_string()).unwrap_or_default()
}
