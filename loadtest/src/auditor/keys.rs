//! The discipline of effect keys: one payload a key, one key an effect until it is refused, each key applied once.

use super::check::{Check, Findings};
use crate::chance::digest;
use crate::contract::Command;

/// What is known of the keys of one order; hashes stand for the texts, which may be long.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    payloads: Vec<(u64, u64)>,
    effects: Vec<EffectSeen>,
    applied: Vec<u64>,
}

#[derive(Debug)]
struct EffectSeen {
    effect: u64,
    epoch: u64,
    key: u64,
    refused: bool,
}

impl Keys {
    /// No command was seen.
    pub(crate) const fn are_none(&self) -> bool {
        self.payloads.is_empty() && self.applied.is_empty()
    }

    /// Judges a command. True if its key was not seen before.
    pub(crate) fn see(&mut self, command: &Command<'_>, findings: &mut Findings) -> bool {
        let key = digest(&command.idempotency_key);
        self.see_effect(command, key, findings);
        let payload = digest(&(command.domain, command.name, command.raw));
        let Some((_, first)) = self.payloads.iter().find(|(known, _)| *known == key) else {
            self.payloads.push((key, payload));
            return true;
        };
        findings.holds(Check::KeyHasOnePayload, *first == payload, || {
            format!(
                "key {} of {}.{} has a second payload {}",
                command.idempotency_key,
                command.domain,
                command.name,
                String::from_utf8_lossy(command.raw)
            )
        });
        false
    }

    fn see_effect(&mut self, command: &Command<'_>, key: u64, findings: &mut Findings) {
        let (effect, epoch) = (digest(&command.effect_id), digest(&command.epoch));
        let Some(seen) = self.effects.iter_mut().find(|seen| seen.effect == effect) else {
            self.effects.push(EffectSeen { effect, epoch, key, refused: false });
            return;
        };
        let is_same = seen.epoch == epoch && seen.key == key;
        // An older attempt may be read again after the newer one: its key and payload were judged when it came first.
        let is_older = !is_same && self.payloads.iter().any(|(known, _)| *known == key);
        let is_next = seen.refused && seen.epoch != epoch && seen.key != key;
        findings.holds(Check::EffectKeyStays, is_same || is_older || is_next, || {
            format!(
                "effect {} now has key {} and epoch {} without a negative answer",
                command.effect_id, command.idempotency_key, command.epoch
            )
        });
        if !is_same && !is_older {
            *seen = EffectSeen { effect, epoch, key, refused: false };
        }
    }

    /// A participant has applied a key.
    pub(crate) fn applied(&mut self, key: &str, findings: &mut Findings) {
        let digest = digest(&key);
        findings.holds(Check::KeyAppliedOnce, !self.applied.contains(&digest), || {
            format!("key {key} was applied again")
        });
        self.applied.push(digest);
    }

    /// An effect was refused for good.
    pub(crate) fn refused(&mut self, effect_id: &str) {
        let effect = digest(&effect_id);
        if let Some(seen) = self.effects.iter_mut().find(|seen| seen.effect == effect) {
            seen.refused = true;
        }
    }
}
