//! What `cisdecode` holds while it runs.

use cis_codec::steady::Steady;
use cis_inference::restore::Restorer;
use gst_video::VideoCodecState;
use gst_video::video_codec_state::Readable;

use crate::model::{self, Opened};
use crate::units::{EnhancementReader, UnitReader};

/// What there is only while the element runs.
pub struct State {
    pub opened: Opened,
    pub restorer: Restorer,
    pub reader: UnitReader,
    /// Latents of the view, after the newest frame.
    pub view: Steady,
    pub input: Option<VideoCodecState<'static, Readable>>,
    pub output: Option<gst_video::VideoInfo>,
    /// The picture that was restored last.
    pub last: Option<gst::Buffer>,
    /// It is of the latents that the reader holds: repeats may show it.
    pub current: bool,
    /// For how many frames it has been shown.
    pub times: u32,
    pub enhancement: EnhancementReader,
    /// Time stamp of the newest frame, as its unit says, and when it was captured; 0: nobody knows, or it comes from a spool.
    pub pts_ns: u64,
    pub captured_ns: u64,
    /// For so many frames more a frame waits for its unit of the enhancement layer: one that is lost now and then is no reason not to.
    pub expecting: u32,
    /// The frame that waits.
    pub waiting: Option<Waiting>,
}

/// A frame that waits for its enhancement.
pub struct Waiting {
    /// Number in the base class, which keeps the frame.
    pub number: u32,
    pub repeat: bool,
}

impl State {
    /// Opens the networks.
    pub fn new(opened: Opened) -> Result<Self, gst::ErrorMessage> {
        let restorer = Restorer::new(&opened.runtime, &opened.model.bundle, &opened.options)
            .map_err(|error| model::message(&error))?;
        let reader = UnitReader::new(opened.model.clone());
        Ok(Self {
            enhancement: EnhancementReader::new(&opened.model),
            opened,
            restorer,
            reader,
            view: Steady::default(),
            input: None,
            output: None,
            last: None,
            current: false,
            times: 0,
            pts_ns: 0,
            captured_ns: 0,
            expecting: 0,
            waiting: None,
        })
    }

    /// What comes next does not go on from what was there.
    pub fn forget(&mut self) {
        self.enhancement.reset();
        self.restorer.forget();
        (self.expecting, self.waiting, self.last) = (0, None, None);
    }
}
