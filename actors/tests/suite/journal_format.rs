//! journal_format
