//! Verilog of an R x C output-stationary int8 array, for tests and the benchmark.

use std::fmt::Write;

/// Cell: one product a cycle into a 32-bit sum, and a chain down the column to drain it.
const CELL: &str = "module pe(
  input wire clk, input wire en, input wire clear, input wire shift,
  input wire signed [7:0] a_in, input wire signed [7:0] b_in, input wire signed [31:0] acc_in,
  output wire signed [7:0] a_out, output wire signed [7:0] b_out, output wire signed [31:0] acc_out
);
  reg signed [7:0] a_q;
  reg signed [7:0] b_q;
  reg signed [31:0] acc_q;
  wire signed [15:0] product = a_in * b_in;
  wire signed [31:0] product_x = {{16{product[15]}}, product};
  wire signed [31:0] base = clear ? 32'sd0 : acc_q;
  always @(posedge clk) begin
    if (en) a_q <= a_in;
    if (en) b_q <= b_in;
    if (shift) acc_q <= acc_in;
    else if (en) acc_q <= base + product_x;
  end
  assign a_out = a_q;
  assign b_out = b_q;
  assign acc_out = acc_q;
endmodule
";

/// Module `array` with `a_in[8R]`, `b_in[8C]`, `acc_out[32C]`, every cell an explicit instance.
pub(crate) fn verilog(rows: usize, cols: usize) -> String {
    let mut text = format!(
        "{CELL}\nmodule array(
  input wire clk, input wire en, input wire clear, input wire shift,
  input wire [{}:0] a_in, input wire [{}:0] b_in, output wire [{}:0] acc_out
);\n",
        8 * rows - 1,
        8 * cols - 1,
        32 * cols - 1
    );
    for r in 0..rows {
        for c in 0..cols {
            let a = match c {
                0 => format!("a_in[{}:{}]", 8 * r + 7, 8 * r),
                _ => format!("a_{r}_{}", c - 1),
            };
            let (b, acc) = match r {
                0 => (format!("b_in[{}:{}]", 8 * c + 7, 8 * c), "32'd0".to_owned()),
                _ => (format!("b_{}_{c}", r - 1), format!("acc_{}_{c}", r - 1)),
            };
            // The last column's `a` and the last row's `b` go nowhere.
            let end = |last: bool, net: String| if last { String::new() } else { net };
            let a_out = end(c + 1 == cols, format!("a_{r}_{c}"));
            let b_out = end(r + 1 == rows, format!("b_{r}_{c}"));
            let acc_out = match r + 1 == rows {
                true => format!("acc_out[{}:{}]", 32 * c + 31, 32 * c),
                false => format!("acc_{r}_{c}"),
            };
            for (width, net) in [(8, &a_out), (8, &b_out), (32, &acc_out)] {
                if !net.is_empty() && !net.contains('[') {
                    writeln!(text, "  wire [{}:0] {net};", width - 1).unwrap();
                }
            }
            writeln!(
                text,
                "  pe pe_{r}_{c}(.clk(clk), .en(en), .clear(clear), .shift(shift), .a_in({a}), .b_in({b}), \
                 .acc_in({acc}), .a_out({a_out}), .b_out({b_out}), .acc_out({acc_out}));"
            )
            .unwrap();
        }
    }
    text + "endmodule\n"
}
