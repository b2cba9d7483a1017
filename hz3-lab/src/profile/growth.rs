//! What has grown between two profiles of one process: leaks, by site.
//!
//! Sampled objects stay the same objects. Those that the later profile has and that were born after the earlier one came in
//! between; those that only the earlier one has ended in between. What stayed is in both, and adds nothing to the
//! uncertainty of the difference. Of two profiles of different processes all of both counts.

use super::{Estimate, Profile, Row, Sites, Which};
use std::collections::{BTreeMap, BTreeSet};

/// How far the starts of one process may be apart as two profiles tell them (nanoseconds).
const SAME_START: u64 = 1_000_000_000;

/// What one site holds more.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Growth {
    /// Function and place.
    pub site: (String, String),
    /// Functions that called it, in the later profile.
    pub callers: Vec<String>,
    /// Bytes in use before.
    pub before: f64,
    /// Bytes in use now.
    pub now: f64,
    /// What the site holds more: negative if it holds less. Its samples are those that came and those that went.
    pub more: Estimate,
}

/// Whether two profiles are of one process: it started at one time.
pub fn same_process(before: &Profile, now: &Profile) -> bool {
    let start = |profile: &Profile| profile.time_nanos.saturating_sub(profile.duration);
    before.time_nanos > 0
        && now.time_nanos >= before.time_nanos
        && now.duration >= before.duration
        && (&before.config, &before.config_hash) == (&now.config, &now.config_hash)
        && start(before).abs_diff(start(now)) < SAME_START
}

type Key = (String, String);

/// The live rows of a profile, by site.
fn groups<'a>(profile: &'a Profile, sites: &Sites) -> BTreeMap<Key, Vec<&'a Row>> {
    let mut groups: BTreeMap<Key, Vec<&Row>> = BTreeMap::new();
    for row in profile.rows(Which::InUse) {
        if let Some(site) = sites.of(row).map(|at| &sites.all[at]) {
            groups
                .entry((site.function.clone(), site.place.clone()))
                .or_default()
                .push(row);
        }
    }
    groups
}

/// Bytes, their variance and the samples behind them.
fn sum<'a>(rows: impl Iterator<Item = &'a Row>) -> (f64, f64, u64) {
    let (mut bytes, mut variance, mut samples) = (0.0, 0.0, 0);
    for row in rows {
        let value = row.bytes as f64;
        bytes += value;
        variance += row.variance(value);
        samples += row.samples;
    }
    (bytes, variance, samples)
}

/// What each site holds more in `now` than in `before`, the most first. Sites that hold the same are left out.
pub fn growth(before: &Profile, now: &Profile) -> Vec<Growth> {
    let one = same_process(before, now);
    let (old_sites, new_sites) = (before.sites(), now.sites());
    let (old, new) = (groups(before, &old_sites), groups(now, &new_sites));
    let keys: BTreeSet<&Key> = old.keys().chain(new.keys()).collect();
    let mut out = Vec::new();
    for key in keys {
        let none = Vec::new();
        let (old, new) = (old.get(key).unwrap_or(&none), new.get(key).unwrap_or(&none));
        let (was, was_variance, was_samples) = sum(old.iter().copied());
        let (is, is_variance, is_samples) = sum(new.iter().copied());
        let (variance, samples) = if one {
            let (_, came_variance, came) = sum(new.iter().copied().filter(|row| row.born >= before.duration));
            // What the later profile has of the older objects is left of the earlier one.
            let went = was_samples.saturating_sub(is_samples - came);
            let share = went as f64 / was_samples.max(1) as f64;
            (came_variance + was_variance * share, came + went)
        } else {
            (was_variance + is_variance, was_samples + is_samples)
        };
        if is == was {
            continue;
        }
        let callers = new_sites
            .all
            .iter()
            .find(|site| (&site.function, &site.place) == (&key.0, &key.1));
        out.push(Growth {
            site: key.clone(),
            callers: callers.map(|site| site.callers.clone()).unwrap_or_default(),
            before: was,
            now: is,
            more: Estimate::around(is - was, variance, samples),
        });
    }
    out.sort_by(|a, b| b.more.value.total_cmp(&a.more.value).then_with(|| a.site.cmp(&b.site)));
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{ALIGN, Level};

    fn profile(time: u64, rows: &[(u64, u64)]) -> Profile {
        let mut profile = Profile::new(Level::All);
        profile.period = 1 << 30;
        profile.time_nanos = 1_000_000_000_000 + time;
        profile.duration = time;
        profile.stacks = vec![Vec::new()];
        profile.rows = rows
            .iter()
            .map(|&(born, samples)| Row {
                size: 64,
                align: ALIGN,
                stack: 0,
                thread: 1,
                born,
                ended: None,
                objects: samples * 1000,
                bytes: samples * 64_000,
                samples,
                lived: 0.0,
            })
            .collect();
        profile
    }

    #[test]
    fn what_stayed_adds_no_doubt() {
        let (before, now) = (profile(100, &[(10, 1000)]), profile(300, &[(10, 1000), (200, 25)]));
        assert!(same_process(&before, &now));
        let [one] = &growth(&before, &now)[..] else {
            panic!("one site")
        };
        assert_eq!((one.more.value, one.more.samples), (25.0 * 64_000.0, 25));
        // 25 samples: two standard deviations are 40 %.
        let reach = (one.more.high - one.more.value) / one.more.value;
        assert!((0.38..0.40).contains(&reach), "{reach}");
    }

    #[test]
    fn profiles_of_two_processes_doubt_all() {
        let (mut before, now) = (profile(100, &[(10, 1000)]), profile(300, &[(10, 1000), (200, 25)]));
        before.time_nanos -= 10_000_000_000;
        assert!(!same_process(&before, &now));
        let grown = growth(&before, &now);
        assert_eq!(grown[0].more.samples, 2025);
        assert!(grown[0].more.low < 0.0);
    }

    #[test]
    fn what_went_is_less() {
        let (before, now) = (profile(100, &[(10, 40)]), profile(300, &[(10, 30)]));
        let grown = growth(&before, &now);
        assert_eq!((grown[0].more.value, grown[0].more.samples), (-640_000.0, 10));
        assert!(grown[0].more.high < 0.0);
        assert_eq!(growth(&before, &before), []);
    }
}
