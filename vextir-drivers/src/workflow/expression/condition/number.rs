//! Numbers of JSON: whole or not, compared exactly.

use super::tree::Sum;
use serde_json::Value;
use std::cmp::Ordering;

#[derive(Debug, Clone, Copy)]
pub(super) enum Number {
    Whole(i128),
    Float(f64),
}

impl Number {
    pub(super) fn of(value: &Value) -> Option<Self> {
        let number = value.as_number()?;
        let whole = number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from));
        whole.map(Self::Whole).or_else(|| number.as_f64().map(Self::Float))
    }

    /// As JSON can hold it.
    pub(super) fn value(self) -> Result<Value, String> {
        let value = match self {
            Self::Whole(whole) => {
                i64::try_from(whole).map(Value::from).or_else(|_| u64::try_from(whole).map(Value::from)).ok()
            }
            Self::Float(float) => serde_json::Number::from_f64(float).map(Value::from),
        };
        value.ok_or_else(|| "the number is too large".to_owned())
    }

    /// Which one is larger; `None` for what is not a number.
    pub(super) fn compare(self, other: Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Whole(left), Self::Whole(right)) => Some(left.cmp(&right)),
            (Self::Float(left), Self::Float(right)) => left.partial_cmp(&right),
            (Self::Whole(left), Self::Float(right)) => whole_and_float(left, right),
            (Self::Float(left), Self::Whole(right)) => whole_and_float(right, left).map(Ordering::reverse),
        }
    }

    pub(super) fn compute(self, how: Sum, other: Self) -> Result<Self, String> {
        match (self, other) {
            (Self::Whole(left), Self::Whole(right)) => whole(how, left, right).map(Self::Whole),
            (left, right) => float(how, left.float(), right.float()).map(Self::Float),
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "what a float cannot hold is rounded, as everywhere")]
    pub(super) fn float(self) -> f64 {
        match self {
            Self::Whole(whole) => whole as f64,
            Self::Float(float) => float,
        }
    }

    /// Without what stands behind the point.
    pub(super) fn truncated(self) -> Result<Self, String> {
        match self {
            Self::Whole(_) => Ok(self),
            #[expect(clippy::cast_possible_truncation, reason = "the range was checked")]
            Self::Float(float) if float.abs() < 9e18 => Ok(Self::Whole(float.trunc() as i128)),
            Self::Float(_) => Err("the number is too large".to_owned()),
        }
    }
}

fn whole_and_float(whole: i128, float: f64) -> Option<Ordering> {
    if float.is_nan() {
        return None;
    }
    // Whole numbers have at most 64 bits: beyond that the float alone decides.
    if float.abs() >= 1e30 {
        return Some(if float > 0.0 { Ordering::Less } else { Ordering::Greater });
    }
    #[expect(clippy::cast_possible_truncation, reason = "the range was checked")]
    let floor = float.floor() as i128;
    let above = if float.fract() == 0.0 { Ordering::Equal } else { Ordering::Less };
    Some(whole.cmp(&floor).then(above))
}

fn whole(how: Sum, left: i128, right: i128) -> Result<i128, String> {
    if right == 0 && matches!(how, Sum::Divide | Sum::Remainder) {
        return Err("it divides by zero".to_owned());
    }
    let result = match how {
        Sum::Add => left.checked_add(right),
        Sum::Subtract => left.checked_sub(right),
        Sum::Multiply => left.checked_mul(right),
        Sum::Divide => left.checked_div(right),
        Sum::Remainder => left.checked_rem(right),
    };
    result
        .filter(|result| (i128::from(i64::MIN)..=i128::from(u64::MAX)).contains(result))
        .ok_or_else(|| "the number is too large".to_owned())
}

fn float(how: Sum, left: f64, right: f64) -> Result<f64, String> {
    let result = match how {
        Sum::Add => left + right,
        Sum::Subtract => left - right,
        Sum::Multiply => left * right,
        Sum::Divide | Sum::Remainder if right == 0.0 => return Err("it divides by zero".to_owned()),
        Sum::Divide => left / right,
        Sum::Remainder => left % right,
    };
    if result.is_finite() { Ok(result) } else { Err("the number is too large".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::{Number, Ordering};
    use serde_json::json;

    #[test]
    fn whole_numbers_and_floats_are_compared_exactly() {
        let number = |value: serde_json::Value| Number::of(&value).unwrap();
        for (left, right, expected) in [
            (json!(3), json!(3.0), Ordering::Equal),
            (json!(3), json!(3.5), Ordering::Less),
            (json!(-3), json!(-3.5), Ordering::Greater),
            (json!(0), json!(-0.0), Ordering::Equal),
            (json!(u64::MAX), json!(-1), Ordering::Greater),
            (json!(u64::MAX), json!(18_446_744_073_709_551_616.0), Ordering::Less),
            (json!(9_007_199_254_740_993_i64), json!(9_007_199_254_740_992.0), Ordering::Greater),
            (json!(1), json!(1e300), Ordering::Less),
            (json!(1), json!(-1e300), Ordering::Greater),
        ] {
            assert_eq!(number(left.clone()).compare(number(right.clone())), Some(expected), "{left} {right}");
            assert_eq!(number(right).compare(number(left)), Some(expected.reverse()));
        }
    }
}
