//! `$finish`, `$stop`, `$fatal`, assertions and internal errors end the simulation, never the process.

mod common;

use common::with_each;
use verilator_rs::{Build, Model, RecordError, Status};

/// Does what `what` selects at the next clock.
fn ends() -> Build {
    let text = "module ends(input wire clk, input wire [2:0] what, output reg [7:0] clocks);
  initial clocks = 0;
  always @(posedge clk) begin
    clocks <= clocks + 1;
    case (what)
      1: $display(\"hello %0d\", clocks);
      2: $finish;
      3: $stop;
      4: $fatal(1, \"lane %0d is lost\", clocks);
      5: $error(\"bank conflict\");
      6: assert (clocks > 200);
      default: ;
    endcase
  end
  final $display(\"after %0d clocks\", clocks);
endmodule
";
    Build { sources: vec![("ends.sv".into(), text.into())], ..Build::new("ends", "") }
}

fn clock(model: &mut Model, what: u64) {
    let (clk, selector) = (model.port("clk").unwrap(), model.port("what").unwrap());
    model.set_u64(selector, what).unwrap();
    for level in [0, 1] {
        model.set_u64(clk, level).unwrap();
        model.eval();
    }
}

#[test]
fn every_ending_is_reported_and_survived() {
    with_each(&ends(), |library| {
        let mut report = String::new();
        for what in 0..=6 {
            let mut model = library.instance().unwrap();
            clock(&mut model, 0);
            clock(&mut model, what);
            assert_eq!(model.is_ok(), what < 2);
            report += &format!("{what}: {:?}\n", model.status());
            clock(&mut model, 4); // a later cause does not replace the first
            clock(&mut model, 0);
            let clocks = model.get_u64(model.port("clocks").unwrap()).unwrap();
            assert_eq!(clocks, 4, "the model goes on after ending {what}");
        }
        // 5.006 calls a `$fatal` an error.
        insta::assert_snapshot!("endings", report.replace("%Fatal", "%Error"));
    });
}

#[test]
fn an_error_outranks_a_finish_and_the_first_error_stays() {
    with_each(&ends(), |library| {
        let mut model = library.instance().unwrap();
        clock(&mut model, 2);
        assert!(matches!(model.status(), Status::Finished { .. }));
        clock(&mut model, 5);
        let first = model.status();
        assert!(matches!(&first, Status::Stopped { message } if message.contains("bank conflict")));
        clock(&mut model, 4);
        assert_eq!(model.status(), first);
    });
}

#[test]
fn prints_are_kept_for_the_caller() {
    with_each(&ends(), |library| {
        let mut model = library.instance().unwrap();
        clock(&mut model, 1);
        clock(&mut model, 1);
        assert_eq!(model.take_output(), "hello 0\nhello 1\n");
        assert_eq!(model.take_output(), "");
        assert_eq!(model.finish(), Status::Ok);
        assert_eq!(model.take_output(), "after 2 clocks\n");
        for _ in 0..200_000 {
            clock(&mut model, 1);
        }
        let kept = model.take_output();
        assert!(kept.len() <= 1 << 20 && kept.ends_with(&format!("hello {}\n", (200_001 % 256))));
    });
}

#[test]
fn a_loop_that_never_settles_stops_the_model() {
    let text = "module loops(input wire go, output wire y);
  /* verilator lint_off UNOPTFLAT */
  wire x = go & ~x;
  /* verilator lint_on UNOPTFLAT */
  assign y = x;
endmodule
";
    with_each(&Build { trace: false, ..Build::new("loops", text) }, |library| {
        let mut model = library.instance().unwrap();
        let go = model.port("go").unwrap();
        model.eval();
        assert_eq!(model.status(), Status::Ok);
        model.set_u64(go, 1).unwrap();
        model.eval();
        let Status::Stopped { message } = model.status() else { panic!("{:?}", model.status()) };
        assert!(message.contains("did not converge"), "{message}");
        model.eval(); // does nothing, in particular does not hang
        assert_eq!(model.finish(), Status::Stopped { message });
        assert!(matches!(model.coverage_write("x"), Err(RecordError::NotBuilt { .. })));
    });
}

/// `%m` gives the model scopes, whose destructors look at the thread's context.
#[test]
fn models_are_dropped_in_any_order() {
    let text = "module scoped(input clk, input bad);
      always @(posedge clk) if (bad) $fatal(1, \"here: %m\");
    endmodule";
    with_each(&Build::new("scoped", text), |library| {
        for first in [0, 1] {
            let mut models = vec![library.instance().unwrap(), library.instance().unwrap()];
            models.iter_mut().for_each(Model::eval);
            drop(models.remove(first));
            assert!(models[0].is_ok());
        }
    });
}
