//! Logarithms and exponentials of several numbers at once, right to eight digits.
//!
//! The weights of the rules take thousands of them a series. These have no branches and no tables, so that the
//! compiler does several side by side, and they give the same bits on every machine.

/// The magnitude whose last bit is 1: adding it rounds to a whole number.
const ROUNDS: f64 = 6_755_399_441_055_744.0;
/// 2^52 with 1023, the bias of exponents, on top.
const BIASED: f64 = 4_503_599_627_370_496.0 + 1023.0;
const MANTISSA: u64 = (1 << 52) - 1;

/// The natural logarithm of a positive, normal number.
#[inline]
pub(super) fn ln(x: f64) -> f64 {
    let bits = x.to_bits();
    let exponent = f64::from_bits((bits >> 52) | 0x4330_0000_0000_0000) - BIASED;
    let mantissa = f64::from_bits((bits & MANTISSA) | 0x3ff0_0000_0000_0000);
    // ln m = ln sqrt 2 + 2 artanh s, with s below 0.172
    let s = (mantissa - std::f64::consts::SQRT_2) / (mantissa + std::f64::consts::SQRT_2);
    let q = s * s;
    let artanh = s * (1.0 + q * (1.0 / 3.0 + q * (0.2 + q * (1.0 / 7.0 + q * (1.0 / 9.0)))));
    (exponent + 0.5) * std::f64::consts::LN_2 + 2.0 * artanh
}

/// e to the power of `x`, which is held within -700 and 700.
#[inline]
pub(super) fn exp(x: f64) -> f64 {
    let x = x.clamp(-700.0, 700.0) * std::f64::consts::LOG2_E;
    let rounded = x + ROUNDS;
    let rest = (x - (rounded - ROUNDS)) * std::f64::consts::LN_2;
    // the last bits of `rounded` are the whole part
    let power = f64::from_bits(rounded.to_bits().wrapping_add(1023) << 52);
    let series = 1.0
        + rest
            * (1.0
                + rest
                    * (0.5
                        + rest
                            * (1.0 / 6.0
                                + rest
                                    * (1.0 / 24.0
                                        + rest
                                            * (1.0 / 120.0
                                                + rest * (1.0 / 720.0 + rest / 5040.0))))));
    power * series
}

#[cfg(test)]
mod tests {
    #[test]
    fn logarithms_are_right_to_eight_digits() {
        for i in -4000..4000 {
            let x = 1.17_f64.powi(i) * 1.000_7;
            if x.is_normal() {
                assert!((super::ln(x) - x.ln()).abs() <= 1e-8, "{x}");
            }
        }
    }

    #[test]
    fn exponentials_are_right_to_eight_digits_and_never_infinite() {
        for i in -7000..7000 {
            let x = f64::from(i) / 10.0;
            assert!((super::exp(x) / x.exp() - 1.0).abs() < 1e-8, "{x}");
        }
        assert!(super::exp(1e9).is_finite());
        assert!(super::exp(-1e9) > 0.0);
    }
}
