//! Errors of the link as errors of an element: applications tell them apart by their code.

use cis_link::Error;
use gst::ResourceError;
use std::io::ErrorKind;

/// The error message for what kept a link from starting.
pub fn message(error: &Error) -> gst::ErrorMessage {
    gst::error_msg!(code(error), ("{error}"))
}

fn code(error: &Error) -> ResourceError {
    match error {
        Error::File { reason, .. } if reason.kind() == ErrorKind::NotFound => ResourceError::NotFound,
        Error::File { .. } => ResourceError::OpenRead,
        Error::Content { .. } => ResourceError::Read,
        Error::Bind { reason, .. } if reason.kind() == ErrorKind::AddrInUse => ResourceError::Busy,
        Error::Bind { .. } => ResourceError::OpenRead,
        Error::NoAuthentication(_) => ResourceError::NotAuthorized,
        Error::System(_) => ResourceError::Failed,
        _ => ResourceError::Settings,
    }
}
