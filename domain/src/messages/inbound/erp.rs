//! Answers of the ERP.

use crate::ids::Key;
use crate::messages::record::record;
use crate::messages::text::{Remark, Text};

record! {
    /// `erp.posted`: the document is in the books.
    pub struct Posted {
        /// The order.
        pub order_id: Key,
        /// The document, as we named it.
        pub document_key: Text,
        /// The document, as the ERP numbered it.
        pub document_no: Text,
    }
}

record! {
    /// `erp.rejected`: the ERP does not take the document.
    pub struct Rejected {
        /// The order.
        pub order_id: Key,
        /// The document, as we named it.
        pub document_key: Text,
        /// The ERP's own code.
        pub code: Text,
        /// In words.
        pub message: Option<Remark>,
    }
}
