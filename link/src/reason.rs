//! Owns the words for the end of a connection.

use quinn::ConnectionError;

use crate::wire::Close;

/// The TLS alert that ended a connection, whichever side sent it.
pub fn tls_alert(error: &ConnectionError) -> Option<u8> {
    let code = match error {
        ConnectionError::TransportError(error) => error.code,
        ConnectionError::ConnectionClosed(close) => close.error_code,
        _ => return None,
    };
    match u64::from(code) {
        code @ 0x100..=0x1ff => Some((code - 0x100) as u8),
        _ => None,
    }
}

/// What the peer closed with, if it was the application that closed.
pub fn closed_with(error: &ConnectionError) -> Option<Close> {
    match error {
        ConnectionError::ApplicationClosed(close) => Some(Close::from_code(close.error_code.into_inner())),
        _ => None,
    }
}

/// The end of a connection in words.
pub fn words(error: &ConnectionError) -> String {
    if let Some(alert) = tls_alert(error) {
        let said = match error {
            ConnectionError::TransportError(error) => error.reason.clone(),
            _ => "said by the other end".to_owned(),
        };
        return format!("TLS: {} ({said})", alert_words(alert));
    }
    match error {
        ConnectionError::ApplicationClosed(close) => {
            let meaning = Close::from_code(close.error_code.into_inner());
            match clean(&close.reason) {
                text if text.is_empty() => meaning.to_string(),
                text => format!("{meaning}: {text}"),
            }
        }
        ConnectionError::TimedOut => "nothing heard for too long".to_owned(),
        ConnectionError::Reset => "the other end does not know this connection any more".to_owned(),
        ConnectionError::ConnectionClosed(close) => {
            format!("closed by QUIC: {} {}", close.error_code, clean(&close.reason))
                .trim_end()
                .to_owned()
        }
        other => other.to_string(),
    }
}

/// Text of a peer, fit for a log: no control characters, no more than one line's worth.
fn clean(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    text.chars().filter(|c| !c.is_control()).take(300).collect()
}

fn alert_words(alert: u8) -> String {
    match alert {
        40 => "handshake failed",
        42 => "certificate not acceptable",
        43 => "certificate of an unsupported kind",
        44 => "certificate revoked",
        45 => "certificate expired or not yet valid",
        46 => "certificate not acceptable",
        48 => "certificate of an unknown CA",
        51 => "signature wrong, or certificate of another CA of the same name",
        70 => "version not spoken",
        116 => "a client certificate is required",
        120 => "the other end does not speak cis/1",
        other => return format!("alert {other}"),
    }
    .to_owned()
}
