//! Constant folding: an operation on constants only becomes a constant while building, so that no
//! tool warns about a comparison that cannot change.

use crate::ir::Op;
use crate::sim::evaluate;
use crate::{Type, Value};

/// The value of `op` on constants, unless it is not a function of them.
pub(crate) fn constant(op: &Op, args: &[(Value, Type)], ty: Type) -> Option<Value> {
    let pure = !matches!(
        op,
        Op::Const(_) | Op::Input(_) | Op::Wire | Op::RegQ(_) | Op::MemRead(..) | Op::InstOut(..)
    );
    (pure && !args.is_empty()).then(|| evaluate(op, args, ty))
}

/// Whether `a < b` is false for every value of the side that is not constant.
pub(crate) fn never_less(a: Option<&Value>, b: Option<&Value>, ty: Type) -> bool {
    let w = ty.width();
    let is_extreme = |v: &Value, top: bool| {
        let sign = if ty.is_signed() { !top } else { top };
        (0..w - 1).all(|i| v.bit(i) == top) && v.bit(w - 1) == sign
    };
    // Nothing is below the least value; the greatest is below nothing.
    b.is_some_and(|v| is_extreme(v, false)) || a.is_some_and(|v| is_extreme(v, true))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{bits, sint, uint};

    #[test]
    fn folds_numbers_of_any_width() {
        let v = |w, x| Value::from_i128(w, x);
        let sum = constant(&Op::Add, &[(v(8, -1), sint(8)), (v(8, -128), sint(8))], sint(9));
        assert_eq!(sum, Some(v(9, -129)));
        let wide = constant(&Op::Cat, &[(v(65, 1), bits(65)), (v(2, 3), bits(2))], bits(67));
        assert_eq!(wide, Some(v(67, 7)));
        assert_eq!(constant(&Op::Wire, &[(v(1, 1), bits(1))], bits(1)), None);
    }

    #[test]
    fn comparisons_at_the_ends() {
        let (zero, top) = (Value::zero(8), Value::from_i128(8, 255));
        assert!(never_less(None, Some(&zero), uint(8)) && never_less(Some(&top), None, uint(8)));
        assert!(!never_less(None, Some(&zero), sint(8)) && !never_less(Some(&zero), None, uint(8)));
        assert!(never_less(None, Some(&Value::from_i128(8, -128)), sint(8)));
        assert!(never_less(Some(&Value::from_i128(8, 127)), None, sint(8)));
    }
}
