//! A workload as TOML, one line a kind of objects.

use super::{Call, Judged, Kind, Life, Spread, Touch, Workload};
use std::fmt::Write;

/// The text of a workload; it reads back as the same. `remarks` stand above it as comments.
pub fn text(workload: &Workload, remarks: &[String]) -> String {
    let mut out = String::new();
    for remark in remarks {
        let _ = writeln!(out, "# {}", remark.replace(char::is_control, " "));
    }
    let _ = writeln!(out, "description = {}", quoted(&workload.description));
    let _ = writeln!(out, "threads = {}", workload.threads);
    if workload.renew > 0 {
        let _ = writeln!(out, "renew = {}", workload.renew);
    }
    if workload.judged == Judged::Resident {
        out.push_str("judge = \"resident\"\n");
    }
    for phase in &workload.phases {
        out.push_str("\n[[phase]]\n");
        if !phase.name.is_empty() {
            let _ = writeln!(out, "name = {}", quoted(&phase.name));
        }
        let _ = writeln!(out, "steps = {}", phase.steps);
        if phase.pause_ms > 0 {
            let _ = writeln!(out, "pause_ms = {}", phase.pause_ms);
        }
        out.push_str("objects = [\n");
        for kind in &phase.objects {
            let _ = writeln!(out, "    {{ {} }},", line(kind));
        }
        out.push_str("]\n");
    }
    out
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

fn line(kind: &Kind) -> String {
    let mut keys = vec![
        format!("weight = {}", kind.weight),
        format!("size = {}", spread(&kind.size)),
    ];
    keys.push(match &kind.lifetime {
        Life::Steps(s) => format!("lifetime = {}", spread(s)),
        Life::Phase => "lifetime = \"phase\"".into(),
        Life::Run => "lifetime = \"run\"".into(),
    });
    match kind.call {
        Call::Malloc => {}
        Call::Calloc => keys.push("call = \"calloc\"".into()),
        Call::Aligned(n) => keys.push(format!("align = {n}")),
    }
    if kind.handed > 0 {
        keys.push(format!("handed = {}", kind.handed));
    }
    if let Some(r) = kind.resize {
        keys.push(format!("resize = {{ times = {}, percent = {} }}", r.times, r.percent));
    }
    match kind.touch {
        Touch::Ends => {}
        Touch::Pages => keys.push("touch = \"pages\"".into()),
        Touch::All => keys.push("touch = \"all\"".into()),
    }
    keys.join(", ")
}

fn spread(spread: &Spread) -> String {
    let list = |numbers: Vec<String>| numbers.join(", ");
    match spread {
        Spread::Fixed(n) => n.to_string(),
        Spread::Uniform(a, b) => format!("{{ from = {a}, to = {b} }}"),
        Spread::Log(a, b) => format!("{{ from = {a}, to = {b}, spread = \"log\" }}"),
        Spread::Mean(n) => format!("{{ mean = {n} }}"),
        Spread::Among(all) => format!(
            "{{ values = [{}], weights = [{}] }}",
            list(all.iter().map(|(n, _)| n.to_string()).collect()),
            list(all.iter().map(|(_, w)| w.to_string()).collect())
        ),
    }
}
