//! The clock and the source of ids, the only places where the engine asks for either.

use jiff::Timestamp as Moment;
use partita_core::time::Timestamp;

/// Returns the present time.
pub fn now() -> Timestamp {
    Timestamp(Moment::now().as_microsecond())
}

/// Returns a new id: a UUID of version 7, so that ids sort by the time they were made.
pub fn new_id() -> String {
    uuid::Uuid::now_v7().simple().to_string()
}
