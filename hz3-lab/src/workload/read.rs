//! From TOML to a workload. All faults are told at once, each with its place.

use super::table::{Fault, Faults, Item, Table};
use super::{
    ALIGN_LEAST, ALIGN_MOST, Call, Judged, Kind, Life, MOST, PHASES, Phase, Resize, STEPS, Spread, THREADS, Touch,
    Workload, flat,
};
use hz3_config::Diagnostics;
use hz3_config::value::found;
use std::path::Path;
use toml::de::{DeTable, DeValue};

const SPREAD: &str = "write 64, { from = 16, to = 2048 }, { from = 16, to = 2048, spread = \"log\" }, { mean = 100 } or \
                      { values = [16, 64], weights = [3, 1] }";
const PHASE_KEYS: &[&str] = &["name", "steps", "pause_ms", "objects"];
const KIND_KEYS: &[&str] = &[
    "weight", "size", "lifetime", "call", "align", "handed", "resize", "touch",
];

/// Reads a workload; `file` is what messages call the text.
///
/// # Errors
///
/// Everything that is wrong, unless the text is no TOML.
pub fn read(file: &Path, text: &str) -> Result<Workload, Diagnostics> {
    let mut faults = Faults::default();
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let span = error.span().unwrap_or(0..0);
        faults.add(span, format!("this is not TOML: {}", error.message()), "");
    }
    let workload = match errors.is_empty() {
        true => whole(table.get_ref(), &mut faults),
        false => None,
    };
    match Diagnostics::of_text(file, text, faults.0) {
        Some(faults) => Err(faults),
        None => workload.ok_or_else(|| {
            let fault: Fault = (
                0..0,
                "the file gives no workload, and no check says why".into(),
                String::new(),
            );
            Diagnostics::of_text(file, text, [fault]).expect("one fault is some")
        }),
    }
}

fn whole(keys: &DeTable<'_>, faults: &mut Faults) -> Option<Workload> {
    let known = [
        "description",
        "threads",
        "renew",
        "judge",
        "phase",
        "name",
        "steps",
        "pause_ms",
        "objects",
    ];
    let top = faults.table("a workload", 0..0, keys, &known);
    let description = top.get("description").and_then(|item| faults.text("description", item));
    let threads = match top.get("threads") {
        None => Some(1),
        Some(item) => match item.get_ref() {
            DeValue::String(word) if word.as_ref() == "cores" => {
                Some(std::thread::available_parallelism().map_or(1, usize::from) as u64)
            }
            DeValue::String(_) => {
                let message = "`threads` is a whole number or \"cores\"";
                faults.add(item.span(), message, "write threads = 4, or threads = \"cores\"");
                None
            }
            _ => faults.number("threads", item, (1, THREADS)),
        },
    };
    let renew = number(&top, "renew", (1, STEPS), 0, faults);
    let judged = match top.get("judge") {
        None => Some(Judged::Time),
        Some(item) => faults.word("judge", item, &[("time", Judged::Time), ("resident", Judged::Resident)]),
    };
    let phases = phases(&top, faults)?;
    let mut workload = Workload {
        description: description.unwrap_or_default().to_owned(),
        threads: threads?,
        renew: renew?,
        judged: judged?,
        phases,
    };
    workload.description.retain(|c| !c.is_control());
    if let Some(item) = top.get("threads").filter(|_| workload.threads == 1) {
        let handed = |kind: &Kind| kind.handed > 0;
        if workload.phases.iter().flat_map(|p| &p.objects).any(handed) {
            let message = "objects are `handed` to another thread, and there is only one";
            faults.add(item.span(), message, "write threads = 2, or take `handed` away");
        }
    }
    let place = top.get("phase").or(top.get("objects")).map_or(0..0, Item::span);
    if workload.steps() > STEPS {
        let message = format!(
            "all phases together have {} steps, and {STEPS} is the most",
            workload.steps()
        );
        faults.add(place.clone(), message, "");
    }
    if let Err(message) = flat::kinds(&workload) {
        faults.add(place, message, "use ranges instead of long lists");
    }
    Some(workload)
}

/// Either `[[phase]]`s, or one phase whose keys stand at the top.
fn phases(top: &Table<'_, '_>, faults: &mut Faults) -> Option<Vec<Phase>> {
    let Some(item) = top.get("phase") else {
        return Some(vec![phase(top, faults)?]);
    };
    for key in PHASE_KEYS {
        if let Some(item) = top.get(key) {
            let message = format!("`{key}` belongs to a phase, and there are phases");
            faults.add(item.span(), message, format!("move `{key}` below a [[phase]]"));
        }
    }
    let DeValue::Array(items) = item.get_ref() else {
        let message = format!("`phase` is a list of tables, not {}", found(item.get_ref()));
        faults.add(item.span(), message, "write [[phase]] and its keys below");
        return None;
    };
    if items.is_empty() || items.len() > PHASES {
        let message = format!("a workload has 1 to {PHASES} phases, not {}", items.len());
        faults.add(item.span(), message, "");
        return None;
    }
    let read: Vec<Option<Phase>> = items
        .iter()
        .map(|item| match item.get_ref() {
            DeValue::Table(keys) => {
                let table = faults.table("a phase", item.span(), keys, PHASE_KEYS);
                phase(&table, faults)
            }
            other => {
                faults.add(item.span(), format!("a phase is a table, not {}", found(other)), "");
                None
            }
        })
        .collect();
    read.into_iter().collect()
}

fn phase(table: &Table<'_, '_>, faults: &mut Faults) -> Option<Phase> {
    let name = table.get("name").and_then(|item| faults.text("name", item));
    let steps = table
        .need(
            "steps",
            "write how many objects each thread makes: steps = 100000",
            faults,
        )
        .and_then(|item| faults.number("steps", item, (1, STEPS)));
    let pause_ms = number(table, "pause_ms", (0, 3_600_000), 0, faults);
    let help = "write objects = [{ size = 64, lifetime = 10 }]";
    let item = table.need("objects", help, faults)?;
    let DeValue::Array(items) = item.get_ref() else {
        let message = format!("`objects` is a list of tables, not {}", found(item.get_ref()));
        faults.add(item.span(), message, help);
        return None;
    };
    if items.is_empty() {
        faults.add(item.span(), "a phase makes at least one kind of objects", help);
    }
    let kinds: Vec<Option<Kind>> = items.iter().map(|item| kind(item, faults)).collect();
    Some(Phase {
        name: name.unwrap_or_default().to_owned(),
        steps: steps?,
        pause_ms: pause_ms?,
        objects: kinds.into_iter().collect::<Option<_>>()?,
    })
}

fn kind(item: &Item<'_>, faults: &mut Faults) -> Option<Kind> {
    let DeValue::Table(keys) = item.get_ref() else {
        let message = format!("a kind of objects is a table, not {}", found(item.get_ref()));
        faults.add(item.span(), message, "write { size = 64, lifetime = 10 }");
        return None;
    };
    let table = faults.table("a kind of objects", item.span(), keys, KIND_KEYS);
    let weight = number(&table, "weight", (1, 1 << 30), 1, faults);
    let size = table
        .need("size", SPREAD, faults)
        .and_then(|item| spread("size", item, true, faults));
    let help = "write a number of steps, \"phase\" (until its phase ends) or \"run\" (until everything ends)";
    let lifetime = table
        .need("lifetime", help, faults)
        .and_then(|item| match item.get_ref() {
            DeValue::String(_) => faults
                .word("lifetime", item, &[("phase", false), ("run", true)])
                .map(|run| if run { Life::Run } else { Life::Phase }),
            _ => spread("lifetime", item, false, faults).map(Life::Steps),
        });
    let align = table
        .get("align")
        .map(|item| (item, faults.bytes("align", item, (ALIGN_LEAST, ALIGN_MOST))));
    if let Some((item, Some(n))) = align
        && !n.is_power_of_two()
    {
        let help = format!("did you mean {}?", n.next_power_of_two());
        faults.add(item.span(), format!("`align` must be a power of two, not {n}"), help);
    }
    let call = match table.get("call") {
        None => Some(None),
        Some(item) => faults
            .word("call", item, &[("malloc", Call::Malloc), ("calloc", Call::Calloc)])
            .map(|call| Some((item, call))),
    };
    let call = match (call?, align) {
        (None, None) => Some(Call::Malloc),
        (Some((_, call)), None) => Some(call),
        (None, Some((_, align))) => align.map(Call::Aligned),
        (Some((item, _)), Some(_)) => {
            let message = "what has an `align` is made by memalign, not by another `call`";
            faults.add(item.span(), message, "take one of the two away");
            None
        }
    };
    let handed = number(&table, "handed", (0, 100), 0, faults);
    let resize = table.get("resize").map(|item| resize(item, faults));
    let touch = match table.get("touch") {
        None => Some(Touch::Ends),
        Some(item) => {
            let words = [("ends", Touch::Ends), ("pages", Touch::Pages), ("all", Touch::All)];
            faults.word("touch", item, &words)
        }
    };
    Some(Kind {
        weight: weight?,
        size: size?,
        lifetime: lifetime?,
        call: call?,
        handed: handed?,
        resize: match resize {
            None => None,
            Some(read) => Some(read?),
        },
        touch: touch?,
    })
}

fn resize(item: &Item<'_>, faults: &mut Faults) -> Option<Resize> {
    let help = "write { times = 4, percent = 150 }";
    let DeValue::Table(keys) = item.get_ref() else {
        let message = format!("`resize` is a table, not {}", found(item.get_ref()));
        faults.add(item.span(), message, help);
        return None;
    };
    let table = faults.table("`resize`", item.span(), keys, &["times", "percent"]);
    let times = table
        .need("times", help, faults)
        .and_then(|item| faults.number("times", item, (1, 60_000)));
    let percent = table
        .need("percent", help, faults)
        .and_then(|item| faults.number("percent", item, (1, 100_000)));
    Some(Resize {
        times: times?,
        percent: percent?,
    })
}

/// A number from 1 to [`MOST`], or how such numbers are spread.
fn spread(name: &str, item: &Item<'_>, bytes: bool, faults: &mut Faults) -> Option<Spread> {
    let bounds = (1, MOST);
    let one = |name: &str, item: &Item<'_>, faults: &mut Faults| match bytes {
        true => faults.bytes(name, item, bounds),
        false => faults.number(name, item, bounds),
    };
    let keys = match item.get_ref() {
        DeValue::Table(keys) => keys,
        DeValue::Integer(_) => return one(name, item, faults).map(Spread::Fixed),
        DeValue::String(_) if bytes => return one(name, item, faults).map(Spread::Fixed),
        other => {
            let message = format!("`{name}` is a number or a table, not {}", found(other));
            faults.add(item.span(), message, SPREAD);
            return None;
        }
    };
    let what = if bytes { "`size`" } else { "`lifetime`" };
    let table = faults.table(
        what,
        item.span(),
        keys,
        &["from", "to", "spread", "mean", "values", "weights"],
    );
    let has = |key: &str| table.get(key).is_some();
    let forms = (has("from") && has("to"), has("mean"), has("values"));
    let stray = match forms {
        (true, false, false) => has("weights"),
        (false, true, false) => has("from") || has("to") || has("spread") || has("weights"),
        (false, false, true) => has("from") || has("to") || has("spread"),
        _ => true,
    };
    if stray {
        faults.add(item.span(), format!("`{name}` is one of five forms"), SPREAD);
        return None;
    }
    if let Some(mean) = table.get("mean") {
        let mean = one("mean", mean, faults)?;
        if bytes {
            let message = "sizes have no `mean` of their own: an exponential spread is for lifetimes";
            faults.add(item.span(), message, "write { from = 16, to = 2048, spread = \"log\" }");
            return None;
        }
        return Some(Spread::Mean(mean));
    }
    if let (Some(from), Some(to)) = (table.get("from"), table.get("to")) {
        let place = to.span();
        let (from, to) = (one("from", from, faults), one("to", to, faults));
        let log = match table.get("spread") {
            None => Some(false),
            Some(item) => faults.word("spread", item, &[("even", false), ("log", true)]),
        };
        let (from, to) = (from?, to?);
        if to < from {
            faults.add(
                place,
                format!("`to` is less than `from`: {to}, {from}"),
                "exchange them",
            );
            return None;
        }
        return Some(if log? {
            Spread::Log(from, to)
        } else {
            Spread::Uniform(from, to)
        });
    }
    list(table, one, faults).map(Spread::Among)
}

/// Values with weights of equal number.
fn list(
    table: Table<'_, '_>,
    one: impl Fn(&str, &Item<'_>, &mut Faults) -> Option<u64>,
    faults: &mut Faults,
) -> Option<Vec<(u64, u64)>> {
    let values = table.get("values")?;
    let mut numbers = |key: &str, item: &Item<'_>, weights: bool| -> Option<Vec<u64>> {
        let DeValue::Array(items) = item.get_ref() else {
            faults.add(
                item.span(),
                format!("`{key}` is a list, not {}", found(item.get_ref())),
                "",
            );
            return None;
        };
        let read: Vec<Option<u64>> = items
            .iter()
            .map(|item| match weights {
                true => faults.number(key, item, (1, 1 << 20)),
                false => one(key, item, faults),
            })
            .collect();
        read.into_iter().collect()
    };
    let read = numbers("values", values, false);
    let weights = match table.get("weights") {
        Some(item) => numbers("weights", item, true),
        None => read.as_ref().map(|values| vec![1; values.len()]),
    };
    let (read, weights) = (read?, weights?);
    if read.is_empty() || read.len() != weights.len() {
        let message = format!("{} values and {} weights", read.len(), weights.len());
        faults.add(
            values.span(),
            message,
            "write as many weights as values, and at least one",
        );
        return None;
    }
    Some(read.into_iter().zip(weights).collect())
}

/// The number of a key, or a default.
fn number(table: &Table<'_, '_>, key: &str, bounds: (u64, u64), default: u64, faults: &mut Faults) -> Option<u64> {
    match table.get(key) {
        None => Some(default),
        Some(item) => faults.number(key, item, bounds),
    }
}
