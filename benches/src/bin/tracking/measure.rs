//! MOTA and identity switches (Bernardin and Stiefelhagen 2008) and IDF1 (Ristani et al. 2016), at an overlap of one half.

use cis_analytics::Rect;
use pathfinding::kuhn_munkres::kuhn_munkres;
use pathfinding::matrix::Matrix;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Least overlap of a box and its label.
const OVERLAP: f32 = 0.5;

/// A labelled box.
pub struct Label {
    pub person: u64,
    pub bounds: Rect,
    /// Neither finding it nor missing it counts.
    pub ignored: bool,
}

/// The sums over a clip.
#[derive(Default)]
pub struct Measure {
    labelled: u64,
    found: u64,
    matched: u64,
    switches: u64,
    fragments: u64,
    /// The track that each person had last, and whether it had it in the frame before.
    last: HashMap<u64, (u64, bool)>,
    people: BTreeSet<u64>,
    tracks: BTreeSet<u64>,
    together: BTreeMap<(u64, u64), i64>,
}

impl Measure {
    /// One frame: labels, and tracks with their boxes.
    pub fn frame(&mut self, labels: &[Label], found: &[(u64, Rect)]) {
        let ignored = |bounds: &Rect| {
            let best = labels
                .iter()
                .max_by(|a, b| a.bounds.iou(bounds).total_cmp(&b.bounds.iou(bounds)));
            best.is_some_and(|label| label.ignored && label.bounds.iou(bounds) >= OVERLAP)
        };
        let found: Vec<_> = found.iter().filter(|(_, bounds)| !ignored(bounds)).collect();
        let labels: Vec<_> = labels.iter().filter(|label| !label.ignored).collect();
        self.labelled += labels.len() as u64;
        self.found += found.len() as u64;
        self.people.extend(labels.iter().map(|label| label.person));
        self.tracks.extend(found.iter().map(|(track, _)| *track));
        let mut seen = HashMap::new();
        let mut free: Vec<bool> = vec![true; found.len()];
        // Who was together stays so while the boxes overlap; the rest by the best sum.
        let mut open = Vec::new();
        for label in labels {
            let before = self.last.get(&label.person).map(|(track, _)| *track);
            let same = found
                .iter()
                .position(|(track, bounds)| Some(*track) == before && label.bounds.iou(bounds) >= OVERLAP);
            match same {
                Some(at) => {
                    free[at] = false;
                    seen.insert(label.person, found[at].0);
                }
                None => open.push(label),
            }
        }
        let rest: Vec<_> = (0..found.len()).filter(|&at| free[at]).collect();
        let overlap = |l: usize, f: usize| {
            let overlap = open[l].bounds.iou(&found[rest[f]].1);
            if overlap >= OVERLAP {
                (overlap * 1e6) as i64
            } else {
                0
            }
        };
        for (l, f) in best(open.len(), rest.len(), overlap) {
            seen.insert(open[l].person, found[rest[f]].0);
        }
        for (&person, &track) in &seen {
            self.matched += 1;
            *self.together.entry((person, track)).or_default() += 1;
            if let Some((before, current)) = self.last.get(&person) {
                self.switches += u64::from(*before != track);
                self.fragments += u64::from(!current);
            }
        }
        self.last.values_mut().for_each(|last| last.1 = false);
        self.last
            .extend(seen.into_iter().map(|(person, track)| (person, (track, true))));
    }

    /// One line.
    pub fn report(&self) -> String {
        let people: Vec<_> = self.people.iter().collect();
        let tracks: Vec<_> = self.tracks.iter().collect();
        let frames = |p: usize, t: usize| self.together.get(&(*people[p], *tracks[t])).copied().unwrap_or(0);
        let identified: i64 = best(people.len(), tracks.len(), frames)
            .into_iter()
            .map(|(p, t)| frames(p, t))
            .sum();
        let (missed, false_alarms) = (self.labelled - self.matched, self.found - self.matched);
        let errors = missed + false_alarms + self.switches;
        format!(
            "{} people, {} tracks, {} identity switches, {} fragments, MOTA {:.3}, IDF1 {:.3}, {} labels, {missed} missed, {false_alarms} false",
            people.len(),
            tracks.len(),
            self.switches,
            self.fragments,
            1.0 - errors as f64 / self.labelled.max(1) as f64,
            2.0 * identified as f64 / (self.labelled + self.found).max(1) as f64,
            self.labelled,
        )
    }
}

/// Pairs whose gains have the largest sum, those without gain left out.
fn best(rows: usize, columns: usize, gain: impl Fn(usize, usize) -> i64) -> Vec<(usize, usize)> {
    if rows == 0 || columns == 0 {
        return Vec::new();
    }
    // The algorithm wants at least as many columns as rows.
    let width = columns.max(rows);
    let weights = Matrix::from_fn(rows, width, |(r, c)| if c < columns { gain(r, c) } else { 0 });
    let (_, chosen) = kuhn_munkres(&weights);
    let all = chosen.into_iter().enumerate();
    all.filter(|&(r, c)| weights[(r, c)] > 0).collect()
}
