//! What is varied: `--sweep banks=8,16,32`.

use std::str::FromStr;

use mattock_hw::spgemm::Cluster;
use mattock_spec::CardConfig;
use mattock_testbench::model::spgemm::Memory;
use rtl_gen::Design;
use serde::Serialize;

use super::ASKED;
use crate::error::{Failure, nearest};

/// Keys of `[spgemm]` that are swept, the other names they go by, and those of the memory behind the card.
const KEYS: [&str; 13] = [
    "banks",
    "ways",
    "look_ahead",
    "misses",
    "lane_queue",
    "task_fifo",
    "entries_per_half",
    "cache_kib",
    "cache_banks",
    "lanes",
    "clusters",
    "sorter_width",
    "adder_latency",
];
const ALIASES: [(&str, &str); 2] = [("table", "entries_per_half"), ("cache", "cache_kib")];
const MEMORY_KEYS: [&str; 2] = ["latency", "bandwidth"];

/// A key and its values, as given.
#[derive(Clone, Debug)]
pub(super) struct Sweep {
    pub(super) key: &'static str,
    pub(super) values: Vec<u32>,
}

/// The values of all keys for one run.
pub(super) type Point = Vec<(&'static str, u32)>;

fn known() -> Vec<&'static str> {
    let aliases = ALIASES.iter().map(|(name, _)| *name);
    KEYS.into_iter().chain(aliases).chain(MEMORY_KEYS).collect()
}

impl FromStr for Sweep {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, values) = text.split_once('=').ok_or("KEY=N,N,...")?;
        let meant = ALIASES.iter().find(|(alias, _)| *alias == name).map_or(name, |(_, key)| key);
        let key =
            KEYS.into_iter().chain(MEMORY_KEYS).find(|key| *key == meant).ok_or_else(|| {
                let known = known();
                let next =
                    nearest(name, &known).map_or(String::new(), |n| format!("; did you mean {n}?"));
                format!("one of the keys {}{next}", known.join(", "))
            })?;
        let number = |text: &str| {
            let number = text.trim().parse().ok().filter(|n| *n > 0);
            number.ok_or_else(|| format!("whole numbers from 1, not {text:?}"))
        };
        let values = values.split(',').map(number).collect::<Result<_, _>>()?;
        Ok(Sweep { key, values })
    }
}

/// Every combination of the values, the last key's changing fastest.
pub(super) fn points(sweeps: &[Sweep]) -> Vec<Point> {
    sweeps.iter().fold(vec![vec![]], |points, sweep| {
        let with = |point: &Point, value: u32| [point.clone(), vec![(sweep.key, value)]].concat();
        points.iter().flat_map(|p| sweep.values.iter().map(move |&v| with(p, v))).collect()
    })
}

/// The card and the memory of a point.
///
/// # Errors
/// The card's configuration does not allow it, or the hardware cannot be built.
pub(super) fn at(
    point: &Point,
    card: &CardConfig,
    memory: Memory,
) -> Result<(CardConfig, Memory), Failure> {
    let mut memory = memory;
    let mut config: toml::Table = card.to_toml().parse().map_err(|e| Failure::new(ASKED, e))?;
    for &(key, value) in point {
        match (key, config.get_mut("spgemm").and_then(|t| t.as_table_mut())) {
            ("latency", _) => memory.latency = value.into(),
            ("bandwidth", _) => memory.bytes_per_cycle = Some(value),
            (_, Some(engine)) => {
                engine.insert(key.into(), i64::from(value).into());
            }
            (_, None) => {}
        }
    }
    let text = toml::to_string(&config).map_err(|e| Failure::new(ASKED, e))?;
    let card = CardConfig::from_toml(&text)
        .map_err(|error| Failure::config(&error, &format!("of --sweep, {}", name(point)), &text))?;
    // What the hardware does not build the model does not know.
    if let Some(cluster) = Cluster::of(&card) {
        Design::elaborate(&cluster).map_err(|error| {
            // What follows from the first fault says nothing more.
            let text = error.to_string();
            let fault = text.lines().next().unwrap_or_default();
            Failure::argument(ASKED, "--sweep", format!("{:?}: {fault}", name(point)))
                .allowed("values that go together and with the card's others")
        })?;
    }
    Ok((card, memory))
}

/// `banks=8 cache_kib=32`.
pub(super) fn name(point: &[(&'static str, u32)]) -> String {
    let parts: Vec<String> = point.iter().map(|(key, value)| format!("{key}={value}")).collect();
    parts.join(" ")
}

/// A point as an object of JSON.
pub(super) fn object<S: serde::Serializer>(point: &Point, to: S) -> Result<S::Ok, S::Error> {
    let map: serde_json::Map<String, serde_json::Value> =
        point.iter().map(|(key, value)| (key.to_string(), (*value).into())).collect();
    map.serialize(to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn combinations_and_names() {
        let sweeps = ["banks=8,16", "cache=32,512"].map(|text| text.parse::<Sweep>().unwrap());
        let names: Vec<String> = points(&sweeps).iter().map(|point| name(point)).collect();
        let all = ["banks=8 cache_kib=32", "banks=8 cache_kib=512"];
        assert_eq!(names[..2], all);
        assert_eq!(names.len(), 4);
        assert_eq!(points(&[]), [vec![]]);
    }

    #[test]
    fn wrong_sweeps_say_what_would_be_right() {
        let error = |text: &str| text.parse::<Sweep>().unwrap_err();
        assert!(error("bank=8").contains("did you mean banks?"));
        assert!(error("banks").contains("KEY=N"));
        assert!(error("banks=8,0").contains("\"0\""));
    }

    #[test]
    fn a_point_changes_card_and_memory() {
        let card = CardConfig::reference("sparse4").unwrap();
        let point = vec![("banks", 32), ("latency", 200)];
        let (changed, memory) = at(&point, &card, Memory::default()).unwrap();
        let banks = |card: &CardConfig| card.spgemm.as_ref().unwrap().banks;
        assert_eq!((banks(&changed), memory.latency, banks(&card)), (32, 200, 16));
        let refused = at(&vec![("banks", 12)], &card, Memory::default()).unwrap_err();
        assert!(refused.json().contains("banks"), "{}", refused.json());
        // A stream of the sorter comes from a bank at least.
        let refused = at(&vec![("banks", 4)], &card, Memory::default()).unwrap_err();
        assert!(refused.json().contains("sorter_width"), "{}", refused.json());
    }
}
