//! yosys's cell counts.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::{Area, FormatError, read};

/// Number of cells of each type in a whole design, as yosys's `stat -json` counts them.
#[derive(Clone, Debug)]
pub struct Cells(BTreeMap<String, u64>);

#[derive(Deserialize)]
struct Document {
    modules: BTreeMap<String, Total>,
    /// The hierarchical total; absent when `stat` was given a selection.
    design: Option<Total>,
}

#[derive(Deserialize)]
struct Total {
    num_cells_by_type: BTreeMap<String, u64>,
}

impl Cells {
    /// Reads the output of `stat -json`.
    ///
    /// # Errors
    /// [`FormatError`].
    pub fn read(path: &Path) -> Result<Self, FormatError> {
        read(path, |text| Self::parse(text).map_err(|error| error.to_string()))
    }

    /// Reads the output of `stat -json` for each module by itself; instances of modules count as cells of their type.
    ///
    /// # Errors
    /// [`FormatError`].
    pub fn read_modules(path: &Path) -> Result<BTreeMap<String, Self>, FormatError> {
        read(path, |text| {
            let document: Document = serde_json::from_str(text).map_err(|e| e.to_string())?;
            let modules = document.modules.into_iter();
            let name = |name: String| name.trim_start_matches('\\').to_owned();
            Ok(modules.map(|(of, total)| (name(of), Self(total.num_cells_by_type))).collect())
        })
    }

    fn parse(text: &str) -> Result<Self, serde_json::Error> {
        let document: Document = serde_json::from_str(text)?;
        if let Some(total) = document.design {
            return Ok(Self(total.num_cells_by_type));
        }
        let mut sum = BTreeMap::new();
        for (kind, count) in document.modules.into_values().flat_map(|m| m.num_cells_by_type) {
            *sum.entry(kind).or_default() += count;
        }
        Ok(Self(sum))
    }

    /// Number of cells whose type is accepted.
    pub fn count(&self, accept: impl Fn(&str) -> bool) -> u64 {
        self.0.iter().filter(|(kind, _)| accept(kind)).map(|(_, count)| count).sum()
    }

    /// What they take.
    pub fn area(&self) -> Area {
        let mut area = Area::default();
        self.0.iter().for_each(|(kind, &count)| area += Area::of_cell(kind).times(count));
        area
    }

    /// These counts.
    pub fn of(cells: &[(&str, u64)]) -> Self {
        Self(cells.iter().map(|&(kind, count)| (kind.to_owned(), count)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hierarchical_total_is_preferred() {
        let module = r#""modules": {"\\pe": {"num_cells_by_type": {"LUT4": 32}}}"#;
        let total = r#""design": {"num_cells_by_type": {"LUT4": 128}}"#;
        let luts = |text: &str| Cells::parse(text).unwrap().count(|kind| kind == "LUT4");
        assert_eq!(luts(&format!("{{{module}, {total}}}")), 128);
        assert_eq!(luts(&format!("{{{module}}}")), 32);
    }
}
