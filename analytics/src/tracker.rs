//! ByteTrack: Zhang et al., "ByteTrack: Multi-Object Tracking by Associating Every Detection Box", ECCV 2022 (arXiv 2110.06864).
//!
//! Sure boxes are given to tracks first, by overlap with where each track is thought to be; what remains of the tracks that were seen a
//! frame ago may take an unsure box, which is how somebody half hidden is not lost; sure boxes that nobody took begin tracks,
//! which count once they have been seen often enough. Different from the paper: time is the camera's and not a number of frames, boxes are
//! compared larger the longer a frame takes, a box of another class fits less well, and a track has its number from the moment on at which it counts.

use crate::assign::pairs;
use crate::track::Track;
use crate::{Detection, Numbers};

/// Most tracks of a stream at a time, and most boxes of a frame that are followed, the surest ones: the assignment takes the third power of it.
pub const MAX_TRACKS: usize = 256;

/// Least overlap times confidence for a sure box and a track that counts, 1 - 0.8 in the paper's terms.
const SURE: f32 = 0.2;
/// Least overlap for an unsure box.
const UNSURE: f32 = 0.5;
/// Least overlap times confidence for a track that does not count yet.
const YOUNG: f32 = 0.3;

/// How boxes become tracks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// Boxes below this confidence are not looked at.
    pub low: f32,
    /// Boxes from this confidence on are sure.
    pub high: f32,
    /// Boxes from this confidence on may begin a track.
    pub begin: f32,
    /// How often an object is seen before it counts.
    pub confirm: u32,
    /// How long an object that is not seen is remembered.
    pub lost_ns: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            low: 0.1,
            high: 0.4,
            begin: 0.5,
            confirm: 2,
            lost_ns: 2_000_000_000,
        }
    }
}

/// What became of a frame's boxes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tracked {
    /// For each box of the frame: the number of its track and whether that is new, if it has one.
    pub numbers: Vec<Option<(u64, bool)>>,
    /// Tracks that ended.
    pub ended: Vec<u64>,
}

/// Follows the objects of one stream.
#[derive(Clone, Debug)]
pub struct Tracker {
    settings: Settings,
    numbers: Numbers,
    tracks: Vec<Track>,
    time_ns: Option<u64>,
}

impl Tracker {
    /// Nothing followed yet.
    pub fn new(settings: Settings, numbers: Numbers) -> Self {
        Self {
            settings,
            numbers,
            tracks: Vec::new(),
            time_ns: None,
        }
    }

    /// The boxes of the next frame. Returns the number of each box's track; `None` for one that belongs to none, or to none that counts yet.
    pub fn frame(&mut self, time_ns: u64, detections: &[Detection]) -> Vec<Option<u64>> {
        let tracked = self.track(time_ns, detections);
        let numbers = tracked.numbers.into_iter();
        numbers.map(|entry| entry.map(|(number, _)| number)).collect()
    }

    /// Forgets everything; returns what was followed.
    pub(crate) fn clear(&mut self) -> Vec<u64> {
        self.time_ns = None;
        self.tracks.drain(..).filter_map(|track| track.number).collect()
    }

    /// The class that a track's boxes had most.
    pub(crate) fn class_of(&self, number: u64) -> Option<&crate::votes::Votes> {
        let track = self.tracks.iter().find(|track| track.number == Some(number));
        track.map(|track| &track.votes)
    }

    pub(crate) fn track(&mut self, now_ns: u64, detections: &[Detection]) -> Tracked {
        let Settings { low, high, begin, .. } = self.settings;
        let mut ended = self.pass_time(now_ns);
        let before_ns = self.time_ns.replace(now_ns);

        let mut order: Vec<usize> = (0..detections.len())
            .filter(|&i| detections[i].bounds.is_proper() && detections[i].confidence >= low)
            .collect();
        order.sort_by(|&a, &b| detections[b].confidence.total_cmp(&detections[a].confidence));
        order.truncate(MAX_TRACKS);
        let sure = order.partition_point(|&i| detections[i].confidence >= high);
        let (mut sure, unsure) = (order[..sure].to_vec(), order[sure..].to_vec());

        let counts = |track: &Track| track.number.is_some();
        let mut taken = vec![None; detections.len()];
        let fused = |track: &Track, detection: &Detection| track.fit(detection) * detection.confidence;
        let all: Vec<usize> = self.indices(counts);
        let rest = self.associate(&all, &sure, detections, now_ns, &mut taken, fused, SURE);
        let seen: Vec<usize> = rest
            .into_iter()
            .filter(|&t| Some(self.tracks[t].seen_ns) == before_ns)
            .collect();
        self.associate(&seen, &unsure, detections, now_ns, &mut taken, Track::fit, UNSURE);
        sure.retain(|&d| taken[d].is_none());
        let young: Vec<usize> = self.indices(|track| !counts(track));
        let given_up = self.associate(&young, &sure, detections, now_ns, &mut taken, fused, YOUNG);

        // Sees to it that a box's track is found again when others before it go.
        let first_new = self.tracks.len();
        for &d in sure.iter().filter(|&&d| detections[d].confidence >= begin) {
            if taken[d].is_none() && self.tracks.len() < MAX_TRACKS + given_up.len() {
                taken[d] = Some(self.tracks.len());
                self.tracks.push(Track::new(&detections[d], now_ns));
            }
        }
        debug_assert!(given_up.iter().all(|&t| t < first_new));
        let numbers = taken.iter().map(|track| self.confirm((*track)?)).collect();
        let mut index = 0;
        self.tracks.retain(|_| {
            index += 1;
            !given_up.contains(&(index - 1))
        });
        ended.sort_unstable();
        Tracked { numbers, ended }
    }

    /// Moves all tracks to `now_ns`; returns the numbers of those that were not seen for too long.
    fn pass_time(&mut self, now_ns: u64) -> Vec<u64> {
        let Some(before_ns) = self.time_ns else {
            return Vec::new();
        };
        // A clock that goes back belongs to another recording.
        let Some(step_ns) = now_ns.checked_sub(before_ns) else {
            return self.clear();
        };
        let lost_ns = self.settings.lost_ns;
        let mut ended = Vec::new();
        self.tracks.retain(|track| {
            let keep = now_ns.saturating_sub(track.seen_ns) <= lost_ns;
            ended.extend(track.number.filter(|_| !keep));
            keep
        });
        for track in &mut self.tracks {
            track.predict(step_ns as f32 * 1e-9, track.seen_ns != before_ns);
        }
        ended
    }

    /// Gives boxes to tracks, notes in `taken` which, and returns the tracks that got none. A pair needs a fit of more than `least`.
    #[allow(clippy::too_many_arguments, reason = "one stage of three, private")]
    fn associate(
        &mut self,
        tracks: &[usize],
        boxes: &[usize],
        detections: &[Detection],
        now_ns: u64,
        taken: &mut [Option<usize>],
        fit: impl Fn(&Track, &Detection) -> f32,
        least: f32,
    ) -> Vec<usize> {
        let gain = |t: usize, d: usize| fit(&self.tracks[tracks[t]], &detections[boxes[d]]) - least;
        let pairs = pairs(tracks.len(), boxes.len(), gain);
        let mut rest = tracks.to_vec();
        for (t, d) in pairs {
            let (t, d) = (tracks[t], boxes[d]);
            self.tracks[t].update(&detections[d], now_ns);
            taken[d] = Some(t);
            rest.retain(|&other| other != t);
        }
        rest
    }

    /// The number of a track that was just seen, and whether it has it since now.
    fn confirm(&mut self, index: usize) -> Option<(u64, bool)> {
        let track = &mut self.tracks[index];
        if let Some(number) = track.number {
            return Some((number, false));
        }
        if track.hits < self.settings.confirm {
            return None;
        }
        let number = self.numbers.next();
        track.number = Some(number);
        Some((number, true))
    }

    fn indices(&self, wanted: impl Fn(&Track) -> bool) -> Vec<usize> {
        (0..self.tracks.len())
            .filter(|&t| wanted(&self.tracks[t]))
            .collect()
    }
}
