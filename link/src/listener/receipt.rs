//! Owns the receipt of a unit, by which the application says that it is done with it, and the histories behind them.

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::event::Slot;
use super::history::{History, News};
use super::journal::Journal;
use crate::StreamName;
use crate::wire::message::{INSTANCE_LEN, Spool};

/// Goes with every unit. When the last clone is dropped, the unit counts as stored, and its sender may forget it: keep
/// it until the unit is where it shall survive the end of the process.
#[derive(Clone, Default)]
pub struct Receipt(Option<Arc<Inner>>);

struct Inner {
    payee: Payee,
    lost: AtomicBool,
    /// The room that the unit takes until then, if it keeps it.
    _room: Option<Slot>,
}

/// Who is told.
enum Payee {
    /// The history of the stream, by which the camera forgets what is stored.
    Ledger {
        ledger: Arc<Ledger>,
        spool: [u8; INSTANCE_LEN],
        serial: u64,
        index: u32,
    },
    /// Somebody who got the unit another way than from a listener.
    Other(Option<Box<dyn FnOnce(bool) + Send + Sync>>),
}

impl Receipt {
    /// A receipt for a unit that no listener gave: `done` is called when the last clone is dropped, with whether the unit is stored.
    pub fn new(done: impl FnOnce(bool) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(Inner {
            payee: Payee::Other(Some(Box::new(done))),
            lost: AtomicBool::new(false),
            _room: None,
        })))
    }

    /// The unit could not be stored: its sender keeps it, and sends it again on its next connection.
    pub fn lost(&self) {
        if let Some(inner) = &self.0 {
            inner.lost.store(true, Ordering::SeqCst);
        }
    }
}

impl fmt::Debug for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_ref().map(|inner| &inner.payee) {
            Some(Payee::Ledger { serial, index, .. }) => write!(f, "Receipt({serial}.{index})"),
            Some(Payee::Other(_)) | None => f.write_str("Receipt"),
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let stored = !self.lost.load(Ordering::SeqCst);
        match &mut self.payee {
            Payee::Ledger {
                ledger,
                spool,
                serial,
                index,
            } => {
                ledger.history.lock().release(*spool, *serial, *index, stored);
                ledger.write_down();
                ledger.wake.notify_one();
            }
            Payee::Other(done) => {
                if let Some(done) = done.take() {
                    done(stored);
                }
            }
        }
    }
}

/// The history of one stream, and where it survives.
pub struct Ledger {
    pub history: Mutex<History>,
    journal: Mutex<Option<Journal>>,
    /// Something was stored.
    pub wake: Notify,
}

impl Ledger {
    /// A sender comes.
    pub fn enter(&self, spool: &Spool) {
        let mut journal = self.journal.lock();
        let mut history = self.history.lock();
        history.enter(spool.id, spool.oldest);
        if let Some(journal) = &mut *journal {
            journal.rewrite(&history);
        }
    }

    /// A unit is given to the application: whether it was before, and its receipt, which takes over its room.
    pub fn give(self: &Arc<Self>, serial: u64, index: u32, room: &mut Option<Slot>) -> (bool, Receipt) {
        let mut history = self.history.lock();
        let repeated = history.give(serial, index);
        match history.spool() {
            Some(spool) if !repeated => {
                let inner = Inner {
                    payee: Payee::Ledger {
                        ledger: self.clone(),
                        spool,
                        serial,
                        index,
                    },
                    lost: AtomicBool::new(false),
                    _room: room.take(),
                };
                (repeated, Receipt(Some(Arc::new(inner))))
            }
            _ => (repeated, Receipt::default()),
        }
    }

    /// What the sender is to be told. All of it is written down.
    pub fn take_news(&self) -> Vec<News> {
        self.write_down();
        self.history.lock().take_news()
    }

    /// Writes down what was stored since the last time, so that the end of this process does not make it come again.
    fn write_down(&self) {
        let mut journal = self.journal.lock();
        let mut history = self.history.lock();
        let news = history.take_unwritten();
        if let Some(journal) = &mut *journal {
            journal.note(&news, &history);
        }
    }
}

/// The ledgers of all streams that have come with a spool.
pub struct Ledgers {
    ledgers: Mutex<HashMap<StreamName, Arc<Ledger>>>,
    folder: Option<PathBuf>,
    limit: usize,
}

impl Ledgers {
    pub fn new(folder: Option<PathBuf>, limit: usize) -> Self {
        Self {
            ledgers: Mutex::default(),
            folder,
            limit,
        }
    }

    /// The ledger of a stream.
    pub fn get(&self, stream: &StreamName) -> Arc<Ledger> {
        let mut ledgers = self.ledgers.lock();
        if let Some(ledger) = ledgers.get(stream) {
            return ledger.clone();
        }
        if ledgers.len() >= self.limit {
            // Nobody uses these now; if they come again, they are read again, or their last units come twice.
            ledgers.retain(|_, ledger| Arc::strong_count(ledger) > 1);
        }
        let mut history = History::default();
        let journal = self.folder.as_ref().and_then(|folder| {
            let opened = Journal::open(folder, stream, &mut history);
            let warn = |error: &std::io::Error| {
                tracing::warn!(%stream, %error, "what was received cannot be remembered over a restart");
            };
            opened.inspect_err(warn).ok()
        });
        let ledger = Arc::new(Ledger {
            history: Mutex::new(history),
            journal: Mutex::new(journal),
            wake: Notify::new(),
        });
        ledgers.insert(stream.clone(), ledger.clone());
        ledger
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_of_ones_own_tells_once_and_whether_the_unit_was_lost() {
        for lost in [false, true] {
            let told = Arc::new(Mutex::new(Vec::new()));
            let receipt = Receipt::new({
                let told = told.clone();
                move |stored| told.lock().push(stored)
            });
            let copy = receipt.clone();
            if lost {
                copy.lost();
            }
            drop(copy);
            assert!(told.lock().is_empty());
            drop(receipt);
            assert_eq!(*told.lock(), [!lost]);
        }
    }
}
