//! How a loop ends the call that it is part of: by a panic that carries an error.

use crate::Error;
use std::any::Any;

/// Ends the call that is running with `error`. Loops answer nothing, so what goes wrong in one of
/// them unwinds to the border of the library, which tells it from a defect by [`ended_by`].
pub(crate) fn end_call(error: Error) -> ! {
    std::panic::resume_unwind(Box::new(error))
}

/// The error that ended a call by [`end_call`].
///
/// # Errors
/// The payload of any other panic.
pub fn ended_by(payload: Box<dyn Any + Send>) -> std::result::Result<Error, Box<dyn Any + Send>> {
    payload.downcast::<Error>().map(|error| *error)
}
