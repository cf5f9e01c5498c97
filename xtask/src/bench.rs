//! `cargo xtask bench`: one benchmark by name.

use mattock_toolbox::Toolbox;

use crate::error::Error;
use crate::metadata::Metadata;
use crate::process::{cargo, run};

/// Runs the bench target `name` with `arguments`; without a name, lists the targets.
pub(crate) fn bench(
    toolbox: &Toolbox,
    name: Option<&str>,
    arguments: &[String],
) -> Result<(), Error> {
    let metadata = Metadata::read()?;
    let benchmarks = metadata.benchmarks();
    let Some(name) = name else {
        for (package, target) in benchmarks {
            println!("{target:<24} {package}");
        }
        return Ok(());
    };
    let (package, target) = choose(&benchmarks, name)?;
    let mut command = cargo();
    toolbox.export_verilators(&mut command);
    run(command.args(["bench", "--package", package, "--bench", target, "--"]).args(arguments))
}

fn choose<'a>(benchmarks: &[(&'a str, &'a str)], name: &str) -> Result<(&'a str, &'a str), Error> {
    benchmarks.iter().find(|(_, target)| *target == name).copied().ok_or_else(|| {
        let names: Vec<&str> = benchmarks.iter().map(|(_, target)| *target).collect();
        let known = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        Error::Other(format!("bench: there is no benchmark `{name}`; the workspace has: {known}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_name_is_answered_with_the_known_ones() {
        let benchmarks = [("rtl-gen", "emission"), ("testbench", "spgemm")];
        assert_eq!(choose(&benchmarks, "spgemm").unwrap(), ("testbench", "spgemm"));
        insta::assert_snapshot!(choose(&benchmarks, "spgem").unwrap_err());
        insta::assert_snapshot!(choose(&[], "spgemm").unwrap_err());
    }
}
