//! Owns the question which worker a camera belongs to: rendezvous hashing. Every worker finds the same answer from the same names, and
//! when a worker comes or goes, only cameras that go to it or come from it move. Pure.

/// The owner of a camera among `workers`; `None` when there are none. The order of the workers does not matter.
pub fn owner<'a>(camera: &str, workers: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    workers
        .into_iter()
        .max_by_key(|worker| (weight(camera, worker), *worker))
}

/// The same on every machine and in every version: workers of two versions share cameras out while one replaces the other.
fn weight(camera: &str, worker: &str) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    // FNV-1a over both names; neither has a zero byte.
    for byte in worker.bytes().chain([0]).chain(camera.bytes()) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    // FNV leaves the upper bits of similar names alike: the finaliser of MurmurHash3 spreads them.
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::{BTreeSet, HashMap};

    fn names(kind: &str, n: usize) -> Vec<String> {
        (0..n).map(|i| format!("{kind}-{i}")).collect()
    }

    fn owners<'a>(cameras: &[String], workers: &'a [String]) -> Vec<&'a str> {
        cameras
            .iter()
            .map(|camera| owner(camera, workers.iter().map(String::as_str)).unwrap())
            .collect()
    }

    #[test]
    fn nobody_owns_a_camera_when_nobody_is_there() {
        assert_eq!(owner("gate-1", []), None);
    }

    #[test]
    fn the_hash_is_what_it_was() {
        // A change of it would have two versions of workers disagree while one replaces the other.
        assert_eq!(weight("gate-1", "worker-1"), 0x67be_a635_016b_1a4f);
    }

    proptest! {
        #[test]
        fn the_order_of_workers_does_not_matter(
            workers in prop::collection::btree_set("[a-z0-9-]{1,12}", 1..12),
            camera in "[a-z0-9.-]{1,20}",
        ) {
            let (forth, back): (Vec<_>, Vec<_>) = (workers.iter().collect(), workers.iter().rev().collect());
            prop_assert_eq!(
                owner(&camera, forth.into_iter().map(String::as_str)),
                owner(&camera, back.into_iter().map(String::as_str))
            );
        }

        #[test]
        fn shares_are_even(workers in 1usize..40) {
            let (cameras, workers) = (names("site/camera", 4000), names("worker", workers));
            let mut shares = HashMap::new();
            for owner in owners(&cameras, &workers) {
                *shares.entry(owner).or_insert(0.0) += 1.0;
            }
            let mean = cameras.len() as f64 / workers.len() as f64;
            // Random placement: five standard deviations hold for every worker.
            let spread = 5.0 * mean.sqrt();
            for worker in &workers {
                let share: f64 = shares.get(worker.as_str()).copied().unwrap_or(0.0);
                prop_assert!((share - mean).abs() <= spread, "{worker} has {share}, mean {mean}");
            }
        }

        #[test]
        fn a_worker_that_comes_or_goes_moves_its_own_cameras_only(
            workers in prop::collection::btree_set("[a-z0-9-]{1,12}", 2..12),
            cameras in prop::collection::btree_set("[a-z0-9-]{1,12}", 1..200),
            which in any::<prop::sample::Index>(),
        ) {
            let workers: Vec<_> = workers.into_iter().collect();
            let cameras: Vec<_> = BTreeSet::into_iter(cameras).collect();
            let gone = which.get(&workers).clone();
            let rest: Vec<_> = workers.iter().filter(|worker| **worker != gone).cloned().collect();
            for (before, after) in owners(&cameras, &workers).into_iter().zip(owners(&cameras, &rest)) {
                prop_assert!(before == after || before == gone);
            }
        }
    }
}
