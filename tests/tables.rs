//! The tables of every shipped config as they are emitted, size by size, against a model that knows nothing of how
//! they were made: a search through the class table, and the class table against arithmetic.

mod common;

use common::shipped;
use hz3::core::abi::object;
use hz3::core::hot;
use hz3::core::list::Slot;
use hz3::core::os::PAGE;
use hz3::core::policy::{ClassId, Naming, Owner, Tag};
use hz3::core::variant::Room;
use hz3::core::{Class, Variant};
use std::fmt::Write;

/// What the model says of a size: the first class that holds it.
fn smallest(classes: &[Class], size: usize) -> Option<usize> {
    classes.iter().position(|class| class.size as usize >= size)
}

/// The slot offset that the emitted tables give for a size, found as `malloc` finds it.
fn looked_up<V: Variant>(size: usize) -> Option<usize> {
    // SAFETY: the indexes are within the tables by the contract of `Variant`, which the comparison below relies on no
    // further than its own bounds.
    unsafe {
        if size <= V::FINE_MAX {
            Some(V::fine(size.div_ceil(V::GRANULE)).bytes())
        } else if size <= V::LARGEST {
            Some(V::coarse((size - 1) >> V::COARSE_SHIFT).bytes())
        } else {
            None
        }
    }
}

/// All that is wrong with the lookup.
fn lookup_faults<V: Variant>(faults: &mut Vec<String>) {
    let classes = V::classes();
    let mut below = 0;
    for size in 0..=V::LARGEST + 1 {
        let (want, got) = (smallest(classes, size), looked_up::<V>(size));
        let class = got.map(|offset| (offset / size_of::<Slot>()).wrapping_sub(1));
        if class != want || got.is_some_and(|offset| offset % size_of::<Slot>() != 0) {
            faults.push(format!(
                "{size}: the tables say slot offset {got:?}, a search class {want:?}"
            ));
        }
        if size <= V::LARGEST && got.is_none_or(|offset| offset < below) {
            faults.push(format!("{size}: a smaller slot offset than {}'s", size.wrapping_sub(1)));
        }
        below = got.unwrap_or(below);
    }
}

/// All that is wrong with the class table.
fn class_faults<V: Variant>(faults: &mut Vec<String>) {
    let classes = V::classes();
    if classes.len() != V::CLASSES || classes.last().map(|class| class.size as usize) != Some(V::LARGEST) {
        faults.push(format!(
            "{} rows for {} classes up to {}",
            classes.len(),
            V::CLASSES,
            V::LARGEST
        ));
    }
    let mut previous = 0;
    for (id, class) in classes.iter().enumerate() {
        let mut check = |holds: bool, what: &str| {
            if !holds {
                faults.push(format!("class {id}: {what}"));
            }
        };
        let (size, align, run) = (class.size, class.align, u32::from(class.run_pages) * PAGE as u32);
        let (objects, colors) = (u32::from(class.objects), u32::from(class.colors));
        check(size > previous, "its size does not rise");
        check(
            (size as usize).is_multiple_of(V::GRANULE),
            "its size is no multiple of the granule",
        );
        check(objects > 0 && colors > 0, "no object, or no colour");
        check(
            u64::from(objects) * u64::from(size) + u64::from(colors - 1) * 64 <= u64::from(run),
            "objects and shift are longer than the run",
        );
        check(
            align.is_power_of_two() && align as usize >= V::GRANULE,
            "its alignment is none",
        );
        // Every object of every colour, one by one.
        let misplaced = (0..colors)
            .flat_map(|color| (0..objects).map(move |object| color * 64 + object * size))
            .find(|at| at % align != 0 || at + size > run);
        check(misplaced.is_none(), "an object is not aligned, or leaves its run");
        check(
            class.batch_first >= 1
                && class.batch_first <= class.batch
                && class.batch <= class.burst
                && class.batch_carve >= 1,
            "its batches are out of order",
        );
        previous = size;
    }
}

/// All that is wrong with the tags: each owner's each class has one, no two the same one, and it leads back.
fn tag_faults<V: Variant>(faults: &mut Vec<String>) {
    let mut seen = std::collections::BTreeSet::from([0]);
    for of in Owner::<V>::all() {
        for class in ClassId::<V>::all() {
            let tag = V::Route::tag(of, class);
            // SAFETY: the tag was given just now.
            let (read_owner, read_class) = unsafe { V::Route::pool::<V>(tag) };
            let read = (read_owner.number(), read_class.number());
            let (owner, class) = (of.number(), class.number());
            if read != (owner, class) {
                faults.push(format!("tag {tag}: made for {owner}/{class}, read as {read:?}"));
            }
            if tag >> (8 * V::Tag::BYTES) != 0 || !seen.insert(tag) {
                faults.push(format!(
                    "tag {tag} of {owner}/{class}: the trap's, another's, or too long"
                ));
            }
        }
    }
}

/// All that is wrong with the objects that come out: one of each size, round the whole way from `malloc` to its page's
/// tag and back.
fn object_faults<V: Variant>(faults: &mut Vec<String>) {
    for size in 0..=V::LARGEST + 1 {
        let want = match smallest(V::classes(), size) {
            Some(id) => V::classes()[id].size as usize,
            None => size.next_multiple_of(PAGE),
        };
        // SAFETY: the object is freed once, and only looked at in between.
        let (address, usable) = unsafe {
            let p = hot::malloc::<V>(size);
            let seen = (p as usize, object::usable::<V>(p));
            hot::free::<V>(p);
            seen
        };
        if address == 0 || address % V::GRANULE != 0 || usable != want {
            faults.push(format!(
                "{size}: an object at {address:#x} of {usable} bytes instead of {want}"
            ));
        }
    }
}

/// Panics with the table if something is wrong with it.
fn prove<V: Variant>() {
    let mut faults = Vec::new();
    lookup_faults::<V>(&mut faults);
    class_faults::<V>(&mut faults);
    tag_faults::<V>(&mut faults);
    object_faults::<V>(&mut faults);
    if faults.is_empty() {
        return;
    }
    let mut table = String::new();
    for (id, class) in V::classes().iter().enumerate() {
        let _ = writeln!(table, "{id:4} {class:?}");
    }
    panic!(
        "{}: {} faults, the first of them:\n{}\nfine to {}, coarse to {} by 2^{}\n{table}",
        V::NAME,
        faults.len(),
        faults[..faults.len().min(20)].join("\n"),
        V::FINE_MAX,
        V::LARGEST,
        V::COARSE_SHIFT,
    );
}

/// The emitted rows are the plan's, and the emitted config gives the same plan again.
fn same_as_plan<V: Variant>(file: &str) {
    let plan = common::plan(file);
    let resolved = V::CONFIG.to_str().expect("the config is text");
    assert_eq!(
        (V::NAME, resolved),
        (plan.name.as_str(), plan.resolved.as_str()),
        "{file}"
    );
    let again = hz3_config::load_str(file.as_ref(), resolved).unwrap_or_else(|faults| panic!("{faults}"));
    assert_eq!(again.hash, plan.hash, "{file}: the resolved config is another one");
    let room = hz3_config::cost::room(&plan).bytes;
    assert_eq!(
        V::Room::bytes::<V>() as u64,
        room,
        "{file}: the cost model has another room"
    );
    for (row, class) in V::classes().iter().zip(&plan.classes) {
        let emitted = [
            row.size,
            row.align,
            row.run_pages.into(),
            row.objects.into(),
            row.batch.into(),
        ];
        assert_eq!(
            emitted,
            [class.size, class.align, class.run_pages, class.objects, class.batch],
            "{file}: the row of {} bytes",
            class.size
        );
    }
}

macro_rules! proofs {
    ($($name:ident = $file:literal),+ $(,)?) => { $(
        #[test]
        #[allow(non_snake_case)]
        fn $name() {
            prove::<shipped::$name>();
            same_as_plan::<shipped::$name>($file);
        }
    )+ };
}
shipped::all!(proofs);

hz3::variant!(Eight = "tests/fixtures/eight.toml");

#[test]
fn classes_of_eight_bytes() {
    prove::<Eight>();
    same_as_plan::<Eight>("tests/fixtures/eight.toml");
}

/// The list of shipped configs is what the folder holds.
#[test]
fn every_shipped_config_is_proven_here() {
    let mut list = String::new();
    for name in hz3_tests::place::PLACE.config_names() {
        let camel: String = name
            .split('-')
            .map(|word| word[..1].to_ascii_uppercase() + &word[1..])
            .collect();
        // A type's name may not begin with a digit.
        let _ = writeln!(list, "            C{camel} = \"configs/{name}.toml\",");
    }
    let text = format!(
        "//! Every shipped config as a variant, all in one binary.\n\
         //!\n\
         //! `HZ3_BLESS=1 cargo test --test tables` writes this file anew from what `configs/` holds.\n\n\
         /// Calls a macro with all of them: `Name = \"configs/name.toml\", …`.\n\
         macro_rules! all {{\n    ($with:ident) => {{\n        $with! {{\n{list}        }}\n    }};\n}}\n\
         pub(crate) use all;\n\n\
         macro_rules! variants {{\n    ($($name:ident = $file:literal),+ $(,)?) => {{ $( hz3::variant!(pub $name = $file); )+ }};\n}}\n\
         all!(variants);\n"
    );
    common::blessed::compare("tests/common/shipped.rs", &text, "tables").unwrap_or_else(|e| panic!("{e}"));
}
