//! Goldens of one board per toolchain, and promises that hold for every board.

use super::*;
use crate::{BOARDS, Direction, Link, Port, board};

/// A design with the ports of a serial card.
pub(crate) fn serial_design(clock_mhz: f64) -> Design {
    let port = |name: &str, direction| Port { name: name.into(), direction, width: 1 };
    Design {
        name: "echo".into(),
        files: vec![("echo_card.v".into(), "module echo_card; endmodule\n".into())],
        top: "echo_card".into(),
        ports: vec![
            port("clk", Direction::Input),
            port("rst", Direction::Input),
            port("uart_rx", Direction::Input),
            port("uart_tx", Direction::Output),
        ],
        clock_mhz,
        link: Link::Uart {
            baud: 115_200,
            clocks_per_bit: (clock_mhz * 1e6 / 115_200.0).round() as u32,
        },
        chip: None,
    }
}

fn page(plan: &Plan) -> String {
    let mut text = String::new();
    for (name, content) in plan.files.iter().filter(|(name, _)| name.starts_with("board")) {
        text += &format!("==== {name}\n{content}");
    }
    for step in &plan.steps {
        let args: Vec<String> = step
            .args
            .iter()
            .map(|word| if word.contains(' ') { format!("'{word}'") } else { word.clone() })
            .collect();
        text += &format!("==== {}\n{} {}\n", step.what, step.tool, args.join(" "));
    }
    text
}

#[test]
fn one_board_of_each_toolchain() {
    for (id, mhz) in [("ulx3s_85f", 50.0), ("icebreaker", 18.0), ("tang_nano_20k", 27.0)] {
        let board = board(id).unwrap();
        let plan = plan(board, &serial_design(mhz), Options { seed: 3 }).unwrap();
        insta::assert_snapshot!(id, page(&plan));
    }
}

/// A design that drives the board's memory chip: pins of the board, pins in the package, masks grounded.
#[test]
fn memory_chips() {
    for id in ["ulx3s_85f", "tang_nano_20k", "colorlight_i5_v7"] {
        let board = board(id).unwrap();
        let mut design = serial_design(if id == "tang_nano_20k" { 27.0 } else { 50.0 });
        let port = Port { name: "sdram_dq_in".into(), direction: Direction::Input, width: 32 };
        design.ports.push(port);
        design.chip = Some(board.sdram().unwrap());
        let plan = plan(board, &design, Options { seed: 3 }).unwrap();
        insta::assert_snapshot!(format!("{id}_with_sdram"), page(&plan));
    }
}

#[test]
fn every_open_board_has_its_pins_and_its_clock_constrained() {
    let mut built = 0;
    for board in BOARDS.iter().filter(|board| board.fpga.toolchain.is_open()) {
        let plan = plan(board, &serial_design(board.clocks[0].mhz), Options::default()).unwrap();
        let constraints: String = plan
            .files
            .iter()
            .filter(|(name, _)| name.starts_with("board.") && !name.ends_with(".v"))
            .map(|(_, text)| text.as_str())
            .collect();
        let (_, top) = plan.files.iter().find(|(name, _)| name == "board_top.v").unwrap();
        for placed in ["uart_rx", "uart_tx", &board.clocks[0].name] {
            assert!(constraints.contains(placed) && top.contains(placed), "{}: {placed}", board.id);
        }
        for pin in [&board.serial().unwrap().rx, &board.clocks[0].pins[0]] {
            assert!(constraints.contains(pin.as_str()), "{}: {pin}", board.id);
        }
        let clock = ["FREQUENCY PORT", "set_frequency", "create_clock"];
        assert!(clock.iter().any(|words| constraints.contains(words)), "{}", board.id);
        // A file read by a step is made by an earlier one or is there from the beginning.
        let mut there: Vec<String> = plan.files.iter().map(|(name, _)| name.clone()).collect();
        for step in &plan.steps {
            assert!(step.reads.iter().all(|name| there.contains(name)), "{}: {step:?}", board.id);
            assert!(mattock_toolbox::tool(step.tool).is_some(), "{}", step.tool);
            there.extend(step.writes.iter().map(|name| (*name).to_owned()));
        }
        for file in [plan.netlist, plan.report, plan.bitstream] {
            assert!(there.iter().any(|name| name == file), "{}: {file}", board.id);
        }
        built += 1;
    }
    assert_eq!(built, 9);
}

#[test]
fn designs_that_do_not_go_with_the_board_are_refused() {
    let tiny = serial_design(12.0);
    let icebreaker = board("icebreaker").unwrap();
    let error =
        |board, design: &Design| plan(board, design, Options::default()).unwrap_err().to_string();
    let mut without = tiny.clone();
    without.ports.pop();
    let mut more = tiny.clone();
    let port = Port { name: "sdram_dq".into(), direction: Direction::Input, width: 16 };
    more.ports.push(port);
    let errors = [
        error(board("kc705").unwrap(), &tiny),
        error(board("tang_mega_138k_pro").unwrap(), &tiny),
        error(icebreaker, &Design { link: Link::Axi, ..tiny.clone() }),
        error(icebreaker, &without),
        error(icebreaker, &more),
        error(
            icebreaker,
            &Design { chip: board("ulx3s_85f").unwrap().sdram().ok(), ..tiny.clone() },
        ),
        error(
            board("colorlight_i5_v7").unwrap(),
            &Design { chip: board("tang_nano_20k").unwrap().sdram().ok(), ..tiny.clone() },
        ),
        error(icebreaker, &Design { clock_mhz: 5.0, ..tiny.clone() }),
        error(
            icebreaker,
            &Design { link: Link::Uart { baud: 2_700_000, clocks_per_bit: 4 }, ..tiny.clone() },
        ),
    ];
    insta::assert_snapshot!(errors.join("\n"));
}
