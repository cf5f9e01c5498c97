//! What is asked of a design, and how a measurement answers.

use serde::Serialize;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Quantity {
    /// LUTs per multiply-add and cycle.
    LutPerMac,
    Lut,
    /// Clock rate, the median of the seeds.
    Mhz,
    /// Multiply-adds per DSP block.
    MacsPerDsp,
    /// Cycles per int8 operand of standard deviation 20.
    CyclesPerOperand,
    /// 10^9 multiply-adds a second.
    Gmacs,
}

#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Limit {
    AtMost(f64),
    AtLeast(f64),
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Goal {
    pub(super) of: Quantity,
    pub(super) limit: Limit,
}

/// A goal beside what was measured.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Answer {
    quantity: Quantity,
    #[serde(flatten)]
    limit: Limit,
    /// Absent if it was not measured.
    value: Option<f64>,
    pub(super) met: Option<bool>,
}

impl Goal {
    /// The clock rate it asks for.
    pub(super) fn mhz(&self) -> Option<u32> {
        match (self.of, self.limit) {
            (Quantity::Mhz, Limit::AtLeast(mhz)) => Some(mhz as u32),
            _ => None,
        }
    }

    pub(super) fn answer(&self, value: Option<f64>) -> Answer {
        let met = value.map(|value| match self.limit {
            Limit::AtMost(most) => value <= most,
            Limit::AtLeast(least) => value >= least,
        });
        Answer { quantity: self.of, limit: self.limit, value, met }
    }
}

impl Answer {
    pub(super) fn words(&self) -> String {
        let unit = match self.quantity {
            Quantity::LutPerMac => "LUT/MAC",
            Quantity::Lut => "LUT",
            Quantity::Mhz => "MHz",
            Quantity::MacsPerDsp => "MAC/DSP",
            Quantity::CyclesPerOperand => "cycles/operand",
            Quantity::Gmacs => "GMAC/s",
        };
        match self.limit {
            Limit::AtMost(value) => format!("<= {value} {unit}"),
            Limit::AtLeast(value) => format!(">= {value} {unit}"),
        }
    }
}

/// The verdict on a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) enum Met {
    #[serde(rename = "yes")]
    Yes,
    #[serde(rename = "no")]
    No,
    /// This version does not build the design.
    #[serde(rename = "not built")]
    NotBuilt,
    /// No goal is missed, but not all were measured.
    #[serde(rename = "not measured")]
    NotMeasured,
    /// Nothing is asked.
    #[serde(rename = "reported")]
    Reported,
}

impl Met {
    pub(super) fn of(answers: &[Answer]) -> Self {
        let met = |verdict| answers.iter().any(|answer| answer.met == verdict);
        match answers {
            [] => Self::Reported,
            _ if met(Some(false)) => Self::No,
            _ if met(None) => Self::NotMeasured,
            _ => Self::Yes,
        }
    }

    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::NotBuilt => "not built",
            Self::NotMeasured => "not measured",
            Self::Reported => "reported",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_met_when_every_goal_is() {
        let goal = |limit| Goal { of: Quantity::Mhz, limit };
        let at = |limit, value| goal(limit).answer(value);
        let (yes, no) = (at(Limit::AtLeast(280.0), Some(280.0)), at(Limit::AtMost(3.0), Some(3.1)));
        let open = at(Limit::AtMost(3.0), None);
        assert_eq!(Met::of(&[yes]), Met::Yes);
        assert_eq!(Met::of(&[yes, open]), Met::NotMeasured);
        assert_eq!(Met::of(&[yes, open, no]), Met::No);
        assert_eq!(Met::of(&[]), Met::Reported);
    }
}
