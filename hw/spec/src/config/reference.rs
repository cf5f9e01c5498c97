//! The reference cards, one TOML file each in `hw/configs`.

use super::ConfigError;
use super::keys::nearest;

/// Smallest first.
const TEXTS: [(&str, &str); 14] = [
    ("pico", include_str!("../../../configs/pico.toml")),
    ("nano", include_str!("../../../configs/nano.toml")),
    ("tiny", include_str!("../../../configs/tiny.toml")),
    ("small", include_str!("../../../configs/small.toml")),
    ("small_riscv", include_str!("../../../configs/small_riscv.toml")),
    ("mixed", include_str!("../../../configs/mixed.toml")),
    ("floats", include_str!("../../../configs/floats.toml")),
    ("bench16", include_str!("../../../configs/bench16.toml")),
    ("sparse2", include_str!("../../../configs/sparse2.toml")),
    ("sparse4", include_str!("../../../configs/sparse4.toml")),
    ("sparse4_2m", include_str!("../../../configs/sparse4_2m.toml")),
    ("sparse4_joins", include_str!("../../../configs/sparse4_joins.toml")),
    ("sparse4_ordered", include_str!("../../../configs/sparse4_ordered.toml")),
    ("sparse4x4", include_str!("../../../configs/sparse4x4.toml")),
];

/// Names of the reference cards, smallest first.
pub const REFERENCE_NAMES: [&str; TEXTS.len()] = {
    let mut names = [""; TEXTS.len()];
    let mut i = 0;
    while i < names.len() {
        names[i] = TEXTS[i].0;
        i += 1;
    }
    names
};

/// The TOML text of a reference card.
pub(super) fn text(name: &str) -> Result<&'static str, ConfigError> {
    if let Some((_, text)) = TEXTS.iter().find(|(known, _)| *known == name) {
        return Ok(text);
    }
    let next = match nearest(name, &REFERENCE_NAMES) {
        Some(known) => format!("did you mean {known:?}?"),
        None => "give a reference card or the path of a TOML file".into(),
    };
    Err(ConfigError::new("config", format!("{name:?}"), REFERENCE_NAMES.join(", "), next))
}
