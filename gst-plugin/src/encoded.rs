//! How long `cisencode` took for a frame, told along with it: a custom meta that queues and tees carry to `cisquicsink`, which tells the receiver.

use gst::meta::CustomMeta;
use std::sync::Once;
use std::time::Duration;

/// Name of the meta.
pub const META: &str = "CisEncodedMeta";
/// Its field, in nanoseconds.
const TIME: &str = "time";

fn register() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| CustomMeta::register(META, &[]));
}

/// Says how long a unit took.
pub fn attach(buffer: &mut gst::BufferRef, time: Duration) {
    register();
    let time = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    // Fails for a name that is not registered only.
    if let Ok(mut meta) = CustomMeta::add(buffer, META) {
        meta.mut_structure().set(TIME, time);
    }
}

/// How long a unit took; `None`: nobody says.
pub fn time_of(buffer: &gst::BufferRef) -> Option<Duration> {
    register();
    let meta = CustomMeta::from_buffer(buffer, META).ok()?;
    meta.structure().get::<u64>(TIME).ok().map(Duration::from_nanos)
}
