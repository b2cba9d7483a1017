//! Rows of lists: steps of classes, and values for ranges of sizes.

use toml::de::DeValue;

use super::words::quoted;
use super::{Item, Reader, Table};
use crate::knob::{Kind, RangeRow, Step, StepForm, Value};
use crate::source::Located;
use crate::suggest::nearest;
use crate::value::found;

impl Reader<'_> {
    /// Reads a size; whether it may be a class size is checked with the classes.
    pub(super) fn size(&mut self, name: &str, item: &Item<'_>) -> Option<Located<u64>> {
        let value = self.bytes(name, item)?;
        Some(Located {
            value,
            at: self.at(item.span()),
        })
    }

    fn count(&mut self, name: &str, range: (u64, u64), item: &Item<'_>) -> Option<Located<u64>> {
        let at = self.at(item.span());
        let DeValue::Integer(value) = item.get_ref() else {
            let message = format!("`{name}` is a whole number, not {}", found(item.get_ref()));
            self.sink.error(at, message, "", "");
            return None;
        };
        let value = self.integer(name, value, at)?;
        self.within(name, value, range, u64::to_string, at)
            .then_some(Located { value, at })
    }

    pub(super) fn step(&mut self, name: &str, item: &Item<'_>) -> Option<Step> {
        const FORMS: &str = "{ to = 128, step = 16 }, { to = 32768, per_doubling = 8 } or { sizes = [2304, 4096] }";
        let at = self.at(item.span());
        let table = self.table(name, item, FORMS)?;
        let sound = self.keys(name, table, &["to", "step", "per_doubling", "sizes"]);
        let form = match (
            table.get("to"),
            table.get("step"),
            table.get("per_doubling"),
            table.get("sizes"),
        ) {
            (Some(to), Some(step), None, None) => {
                let to = self.size(&format!("{name}.to"), to);
                let step = self.size(&format!("{name}.step"), step);
                StepForm::Linear { to: to?, step: step? }
            }
            (Some(to), None, Some(per_doubling), None) => {
                let to = self.size(&format!("{name}.to"), to);
                let count = self.count(&format!("{name}.per_doubling"), (1, 64), per_doubling);
                StepForm::Geometric {
                    to: to?,
                    per_doubling: count?,
                }
            }
            (None, None, None, Some(sizes)) => {
                let name = format!("{name}.sizes");
                match self.value(&name, &Kind::Sizes(16, 1 << 20), sizes)? {
                    Value::Sizes(sizes) => StepForm::List(sizes),
                    _ => return None,
                }
            }
            _ => {
                let message = format!("a step of `{name}` is one of three forms");
                let help = format!("write {FORMS}");
                if sound {
                    self.sink.error(at, message, "", help);
                }
                return None;
            }
        };
        sound.then_some(Step { at, form })
    }

    pub(super) fn row(&mut self, name: &str, key: &str, range: (u64, u64), item: &Item<'_>) -> Option<RangeRow> {
        let form = format!("{{ from = 2049, to = 4095, {key} = 9 }}");
        let table = self.table(name, item, &form)?;
        let sound = self.keys(name, table, &["from", "to", key]);
        let at = self.at(item.span());
        let (Some(from), Some(to), Some(value)) = (table.get("from"), table.get("to"), table.get(key)) else {
            if sound {
                let message = format!("an entry of `{name}` needs `from`, `to` and `{key}`");
                self.sink.error(at, message, "", format!("write {form}"));
            }
            return None;
        };
        let from = self.size(&format!("{name}.from"), from);
        let to = self.size(&format!("{name}.to"), to);
        let value = self.count(&format!("{name}.{key}"), range, value);
        let row = RangeRow {
            at,
            from: from?,
            to: to?,
            value: value?,
        };
        sound.then_some(row)
    }

    fn table<'a, 'i>(&mut self, name: &str, item: &'a Item<'i>, form: &str) -> Option<&'a Table<'i>> {
        let table = item.get_ref().as_table();
        if table.is_none() {
            let message = format!("`{name}` holds inline tables, not {}", found(item.get_ref()));
            self.sink
                .error(self.at(item.span()), message, "", format!("write {form}"));
        }
        table
    }

    /// Reports unknown keys of an inline table; whether there are none.
    fn keys(&mut self, name: &str, table: &Table<'_>, known: &[&str]) -> bool {
        let mut sound = true;
        for key in table.keys() {
            let word = key.get_ref().as_ref();
            if !known.contains(&word) {
                let help = match nearest(word, known.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("its keys are {}", quoted(known)),
                };
                self.sink.error(
                    self.at(key.span()),
                    format!("unknown key `{word}` in `{name}`"),
                    "",
                    help,
                );
                sound = false;
            }
        }
        sound
    }
}
