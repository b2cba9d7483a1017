//! The neighbourhood of a config: what one changes first, a key or a few that belong together at a time, and what is made of
//! changes that did well.

use crate::derived::Setting;

/// How a key is changed.
enum Step {
    /// Its number times each of these.
    Times(&'static [f64]),
    /// Each of these values of TOML.
    To(&'static [&'static str]),
}

use Step::{Times, To};

/// Keys by how much they usually matter: where there is no time for all, the first are tried.
const STEPS: &[(&str, Step)] = &[
    ("cache.batch_bytes", Times(&[0.5, 2.0])),
    ("runs.min_objects", Times(&[0.5, 2.0])),
    ("purge.delay_ms", Times(&[0.1, 10.0])),
    ("large.cache", Times(&[0.25])),
    ("cache.first_bytes", Times(&[0.25, 8.0])),
    ("purge.dirty", Times(&[0.25, 4.0])),
    ("cache.slow_start", To(&["false"])),
    ("hot.prefetch", To(&["\"next\""])),
    ("cache.carve_bytes", Times(&[0.25, 4.0])),
    ("depot.empty_runs", To(&["0", "8"])),
    ("cache.magazines", To(&["2"])),
    ("cache.burst_bytes", To(&["0", "\"192KiB\""])),
    ("placement.borrow_percent", To(&["0.0"])),
    ("purge.spare", To(&["false"])),
    ("runs.max_pages", Times(&[0.5, 4.0])),
    ("cache.batch_max", Times(&[0.5, 2.0])),
    ("lookup.fine_max", To(&["\"4KiB\""])),
    ("large.max_age_ms", Times(&[0.1, 10.0])),
    ("placement.order", To(&["\"lowest\""])),
    ("runs.max_waste_percent", Times(&[4.0])),
    ("depot.shelves", To(&["1", "8"])),
    ("build.optimize", To(&["\"size\""])),
    ("cache.thread_bytes", Times(&[0.25])),
    ("purge.idle", To(&["\"helper\""])),
    ("runs.coloring", To(&["true"])),
];

/// Changes that only make sense together.
const BUNDLES: &[&[(&str, &str)]] = &[
    // Caches of half the size and shorter beginnings.
    &[
        ("cache.batch_bytes", "\"64KiB\""),
        ("cache.batch_max", "64"),
        ("cache.batch_min", "8"),
        ("cache.burst_bytes", "\"32KiB\""),
        ("cache.carve_bytes", "\"8KiB\""),
        ("cache.first_bytes", "128"),
        ("depot.empty_runs", "0"),
    ],
    // Free pages go back soon.
    &[
        ("large.cache", "\"16MiB\""),
        ("large.max_age_ms", "100"),
        ("purge.delay_ms", "100"),
        ("purge.dirty", "\"16MiB\""),
        ("purge.spare", "false"),
    ],
    // They do not go back.
    &[
        ("large.max_age_ms", "10000"),
        ("purge.delay_ms", "10000"),
        ("purge.dirty", "\"256MiB\""),
    ],
    // Twice as many classes, and half as many.
    &[(
        "classes.steps",
        "[{ to = 128, step = 16 }, { to = 32768, per_doubling = 16 }]",
    )],
    &[(
        "classes.steps",
        "[{ to = 128, step = 16 }, { to = 32768, per_doubling = 4 }]",
    )],
];

/// Who a freed object belongs to. Tried last: it matters to programs whose threads free what others made.
const OWNERS: &[&[(&str, &str)]] = &[
    &[("ownership.mode", "\"owner-bank\"")],
    &[("ownership.mode", "\"owner-ring\"")],
    &[("ownership.mode", "\"owner-bank\""), ("ownership.shards", "2")],
    &[("ownership.mode", "\"owner-bank\""), ("ownership.shards", "32")],
    &[("ownership.mode", "\"adopt\"")],
];

/// What a config says of a key, from its resolved text.
fn said<'a>(resolved: &'a toml::Table, key: &str) -> Option<&'a toml::Value> {
    let (table, key) = key.split_once('.')?;
    resolved.get(table)?.as_table()?.get(key)
}

/// A number, or a number with a unit of bytes, times a factor; none where that is no whole number.
fn times(value: &toml::Value, factor: f64) -> Option<String> {
    let whole = |n: f64| (n >= 1.0 && n.fract() == 0.0 && n < 1e15).then(|| format!("{}", n as u64));
    match value {
        toml::Value::Integer(n) => whole(*n as f64 * factor),
        toml::Value::Float(n) => Some(format!("{:?}", (n * factor).min(99.0))),
        toml::Value::String(text) => {
            let digits = text.find(|c: char| !c.is_ascii_digit())?;
            let number: f64 = text[..digits].parse().ok()?;
            // Half of one MiB is 512 KiB.
            let units = ["GiB", "MiB", "KiB"];
            let at = units.iter().position(|unit| *unit == &text[digits..])?;
            let finer = [&units[at..], &["B"]].concat();
            finer.iter().enumerate().find_map(|(i, unit)| {
                let number = whole(number * factor * 1024f64.powi(i32::try_from(i).ok()?))?;
                Some(if *unit == "B" {
                    number
                } else {
                    format!("\"{number}{unit}\"")
                })
            })
        }
        _ => None,
    }
}

fn setting(key: &str, value: &str) -> Setting {
    Setting {
        key: key.into(),
        value: value.into(),
    }
}

fn bundle(keys: &&[(&str, &str)]) -> Vec<Setting> {
    keys.iter().map(|(key, value)| setting(key, value)).collect()
}

/// Who else may own what is freed: modes, and how many shards.
pub fn owners() -> Vec<Vec<Setting>> {
    OWNERS.iter().map(bundle).collect()
}

/// Single changes of a config, in the order in which they are worth trying: of each key the first step before the second of
/// any.
pub fn around(resolved: &toml::Table) -> Vec<Vec<Setting>> {
    let mut all: Vec<Vec<Setting>> = BUNDLES.iter().map(bundle).collect();
    for turn in 0..2 {
        for (key, step) in STEPS {
            let value = match (step, said(resolved, key)) {
                (Times(factors), Some(value)) => factors.get(turn).and_then(|factor| times(value, *factor)),
                (To(values), _) => values.get(turn).map(|value| (*value).to_owned()),
                (Times(_), None) => None,
            };
            all.extend(value.map(|value| vec![setting(key, &value)]));
        }
    }
    all.extend(owners());
    all
}

/// What is made of changes that did well, the best first: two and more of them together, and the best ones once more as far.
pub fn combined(best: &[Vec<Setting>], resolved: &toml::Table) -> Vec<Vec<Setting>> {
    // Of one key the better change counts.
    let joined = |parts: &[&Vec<Setting>]| {
        let mut all: Vec<Setting> = Vec::new();
        for one in parts.iter().copied().flatten() {
            if !all.iter().any(|other| other.key == one.key) {
                all.push(one.clone());
            }
        }
        all
    };
    let mut made = Vec::new();
    for (i, a) in best.iter().enumerate() {
        made.extend(best[i + 1..].iter().map(|b| joined(&[a, b])));
    }
    if best.len() > 2 {
        made.push(joined(&best.iter().collect::<Vec<_>>()));
    }
    for one in best.iter().filter(|one| one.len() == 1) {
        let Some(before) = said(resolved, &one[0].key) else {
            continue;
        };
        let further = [0.125, 0.25, 0.5, 2.0, 4.0, 8.0]
            .into_iter()
            .find(|f| times(before, *f).as_ref() == Some(&one[0].value));
        let value = further.and_then(|f| times(before, f * f));
        made.extend(value.map(|value| vec![setting(&one[0].key, &value)]));
    }
    made.retain(|one| !best.contains(one));
    made
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_their_units_and_stay_whole() {
        let of = |text: &str, factor: f64| {
            let table: toml::Table = format!("x = {text}").parse().unwrap();
            times(&table["x"], factor)
        };
        assert_eq!(of("\"128KiB\"", 2.0).unwrap(), "\"256KiB\"");
        assert_eq!(of("\"1MiB\"", 0.5).unwrap(), "\"512KiB\"");
        assert_eq!(of("\"1KiB\"", 0.25).unwrap(), "256");
        assert_eq!(of("8", 0.5).unwrap(), "4");
        assert_eq!(of("1", 0.5), None);
        assert_eq!(of("1.5", 4.0).unwrap(), "6.0");
        assert_eq!(of("\"auto\"", 2.0), None);
    }

    #[test]
    fn every_change_of_default_is_sound_or_told_apart() {
        let plan = hz3_config::load(std::path::Path::new("hz3:default")).unwrap();
        let resolved: toml::Table = plan.resolved.parse().unwrap();
        let all = around(&resolved);
        assert!(all.len() > 35, "{}", all.len());
        let bad: Vec<String> = all
            .iter()
            .filter(|settings| {
                let lines: String = settings.iter().map(|s| format!("{}={}\n", s.key, s.value)).collect();
                let text = format!("name = \"x\"\ndescription = \"d\"\nextends = \"hz3:default\"\n{lines}");
                hz3_config::load_str(std::path::Path::new("x.toml"), &text).is_err()
            })
            .map(|settings| settings.iter().map(Setting::short).collect::<Vec<_>>().join(" "))
            .collect();
        // A change may clash with another key of the config; those that always do would be dead wood.
        assert!(bad.len() <= 2, "{bad:?}");
    }

    #[test]
    fn what_did_well_is_put_together_once() {
        let resolved: toml::Table = "[runs]\nmin_objects = 8\n[cache]\nbatch_max = 128".parse().unwrap();
        let best = [
            vec![setting("runs.min_objects", "4")],
            vec![setting("cache.batch_max", "64")],
            vec![setting("runs.min_objects", "16")],
        ];
        let made = combined(&best, &resolved);
        assert_eq!(
            made[0],
            [setting("runs.min_objects", "4"), setting("cache.batch_max", "64")]
        );
        assert!(made.contains(&vec![setting("runs.min_objects", "2")]), "{made:?}");
        assert!(
            made.iter()
                .all(|one| one.iter().filter(|s| s.key == "runs.min_objects").count() <= 1)
        );
    }
}
