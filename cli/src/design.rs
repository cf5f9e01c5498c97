//! From a chosen card to its hardware.

use rtl_gen::Design;

use crate::card::Chosen;
use crate::error::Failure;
use crate::output::Output;
use crate::progress::Progress;
use mattock_hw::top::CardError;

/// Builds and checks the card's design.
///
/// # Errors
/// The configuration asks for what this version does not build.
pub(crate) fn elaborate(chosen: &Chosen, output: Output) -> Result<Design, Failure> {
    let _progress = Progress::start(output, format!("elaborating {}", chosen.origin));
    mattock_hw::card(&chosen.config).map_err(|error| match error {
        CardError::Config(error) => Failure::config(&error, &chosen.origin, ""),
        other => {
            Failure::new("card", other).next("choose another card, or change its configuration")
        }
    })
}
