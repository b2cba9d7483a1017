//! What an object of each possible class takes of its run, as the config language has it.

use super::demand::GRANULE;
use hz3_config::plan::{PAGE, Plan, SLOT_BYTES};
use hz3_config::{Diagnostics, load_str};
use std::path::Path;

/// Classes that are asked for at once: few enough for a bound that all first batches together keep.
const AT_ONCE: usize = 48;

/// What a class costs beside its objects, in bytes on average.
#[derive(Debug, Clone, Copy, Default, PartialEq, serde::Serialize)]
pub struct Price {
    /// By being there.
    pub idle: f64,
    /// By being used at all.
    pub used: f64,
}

/// By size: bytes of a run for each object, and what a class of that size costs beside.
#[derive(Debug, Clone)]
pub struct Strides {
    /// What sizes of classes are multiples of.
    pub granule: u32,
    strides: Vec<(f64, Price)>,
}

impl Strides {
    /// Bytes of a run for each object of a class of `size` bytes.
    pub fn stride(&self, size: u32) -> f64 {
        self.strides[(size / self.granule) as usize].0
    }

    /// What a class of `size` bytes costs beside its objects; see [`strides`].
    pub fn price(&self, size: u32) -> Price {
        self.strides[(size / self.granule) as usize].1
    }
}

/// Asks the config language for runs and batches of all multiples of a granule up to the largest class of `base`, under whose
/// other keys they are. `parent` is what a config says after `extends =`.
///
/// A class takes memory by being there: each of `threads` has a slot for it. It takes more once it is used: of the page that is
/// carved at once half is not in use on average, and each thread has half a first batch in its slot.
///
/// # Errors
///
/// As [`load_str`], if the parent's other keys do not allow other classes.
pub fn strides(base: &Plan, parent: &str, threads: u64, granule: u32) -> Result<Strides, Diagnostics> {
    let sizes: Vec<u32> = (GRANULE / granule..=base.largest() / granule)
        .map(|n| n * granule)
        .collect();
    let mut out = vec![(0.0, Price::default()); (GRANULE / granule) as usize];
    for part in sizes.chunks(AT_ONCE) {
        let mut wanted = part.to_vec();
        // Each config has to have a class of a certain size.
        if wanted.last() != sizes.last() {
            wanted.extend(sizes.last());
        }
        wanted.retain(|&size| size > GRANULE);
        // What the parent says of single classes would be of classes that are not there.
        let text = format!(
            "name = \"probe\"\ndescription = \"sizes that are asked for\"\nextends = {parent:?}\n[classes]\ngranule = {granule}\nsteps = [{{ sizes = {wanted:?} }}]\n\
             [runs]\noverrides = []\n[cache]\noverrides = []\n"
        );
        let plan = load_str(Path::new("probe.toml"), &text)?;
        out.extend(part.iter().filter_map(|&size| {
            let class = plan.classes.iter().find(|class| class.size == size)?;
            let run = f64::from(class.run_pages * PAGE);
            let bytes = |objects: u32| (f64::from(objects) * f64::from(size)).min(run);
            let threads = threads as f64;
            let price = Price {
                idle: threads * f64::from(SLOT_BYTES),
                used: bytes(class.batch_carve).min(f64::from(PAGE)) / 2.0 + threads * bytes(class.batch_first) / 2.0,
            };
            Some((run / f64::from(class.objects), price))
        }));
    }
    Ok(Strides { granule, strides: out })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_those_of_the_plan() {
        let base = hz3_config::load(Path::new("hz3:default")).expect("a preset");
        for granule in [16, 8] {
            let all = strides(&base, "hz3:default", 4, granule).expect("default allows other classes");
            for class in &base.classes {
                let run = f64::from(class.run_pages * PAGE);
                assert_eq!(all.stride(class.size), run / f64::from(class.objects), "{}", class.size);
                assert!(all.price(class.size).idle > 0.0 && all.price(class.size).used > 0.0);
            }
            assert!(all.stride(1040) >= 1040.0 && all.stride(1040 + granule) >= f64::from(1040 + granule));
        }
    }
}
