//! What the rules promise, as a table of contents.

mod order;
