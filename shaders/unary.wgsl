// y_i = f(x_i): FUNCTION_ is one of the functions below, params.p and params.q its constants.
//
// x and y are dense [count] of TYPE_, which is vec4f where the length is a multiple of 4, else f32. A thread takes
// ITEMS_ neighbours, which divide count.
// A NaN in x stays one in y: IS_NAN_ tests for it by bits. What WGSL leaves undefined, like the root of a negative number, is NaN.
//#include elements
//#include nan
//#include relu
struct Params { count: u32, p: f32, q: f32 }

@group(0) @binding(0) var<storage, read> x_values: array<TYPE_>;
@group(0) @binding(1) var<storage, read_write> y_values: array<TYPE_>;
@group(0) @binding(2) var<uniform> params: Params;

const ZERO = TYPE_(0.0);

// p is the slope below 0.
fn leaky_relu(x: TYPE_) -> TYPE_ {
  return select(x, x * params.p, x <= ZERO);
}

// exp only sees what is not positive, so nothing overflows.
fn sigmoid(x: TYPE_) -> TYPE_ {
  let e = exponential(-abs(x));
  return select(e, TYPE_(1.0), x >= ZERO) / (1.0 + e);
}

// Near 0 the quotient would cancel; there the polynomial of Cephes (tanhf).
fn stable_tanh(x: TYPE_) -> TYPE_ {
  let e = exponential(-2.0 * abs(x));
  let quotient = sign(x) * (1.0 - e) / (1.0 + e);
  let z = x * x;
  let tail = (((-5.70498872745e-3 * z + 2.06390887954e-2) * z - 5.37397155531e-2) * z + 1.33314422036e-1) * z
    - 3.33332819422e-1;
  return select(quotient, x + x * z * tail, abs(x) < TYPE_(0.625));
}

fn exponential(x: TYPE_) -> TYPE_ {
  return select(exp(x), x, IS_NAN_(x));
}

fn logarithm(x: TYPE_) -> TYPE_ {
  return select(log(x), TYPE_(not_a_number()), (x < ZERO) | IS_NAN_(x));
}

fn square_root(x: TYPE_) -> TYPE_ {
  return select(sqrt(x), TYPE_(not_a_number()), (x < ZERO) | IS_NAN_(x));
}

fn negative(x: TYPE_) -> TYPE_ {
  return -x;
}

fn absolute(x: TYPE_) -> TYPE_ {
  return abs(x);
}

fn square(x: TYPE_) -> TYPE_ {
  return x * x;
}

fn reciprocal(x: TYPE_) -> TYPE_ {
  return 1.0 / x;
}

// x^p for whole p by squaring: pow(x, y) knows no negative x and loses digits.
fn whole_power(x: TYPE_) -> TYPE_ {
  var result = TYPE_(1.0);
  var factor = x;
  for (var rest = u32(abs(params.p)); rest > 0u; rest >>= 1u) {
    if ((rest & 1u) == 1u) {
      result *= factor;
    }
    factor *= factor;
  }
  if (params.p < 0.0) {
    return 1.0 / result;
  }
  return result;
}

// x^p for p that is not whole. What pow leaves undefined is as in C: at 0 and at an infinity of either sign 0 or infinity,
// NaN below 0.
fn power(x: TYPE_) -> TYPE_ {
  let magnitude = bitcast<BITS_>(x) & BITS_(0x7fffffffu);
  let rises = params.p > 0.0;
  let at_zero = select(infinity(), 0.0, rises);
  let at_infinity = select(0.0, infinity(), rises);
  var y = pow(abs(x), TYPE_(params.p));
  y = select(y, TYPE_(not_a_number()), (x < ZERO) | IS_NAN_(x));
  y = select(y, TYPE_(at_zero), x == ZERO);
  return select(y, TYPE_(at_infinity), magnitude == BITS_(0x7f800000u));
}

fn clamp_both(x: TYPE_) -> TYPE_ {
  return clamp_max(clamp_min(x));
}

fn clamp_min(x: TYPE_) -> TYPE_ {
  return select(x, TYPE_(params.p), (x < TYPE_(params.p)) & !IS_NAN_(x));
}

fn clamp_max(x: TYPE_) -> TYPE_ {
  return select(x, TYPE_(params.q), (x > TYPE_(params.q)) & !IS_NAN_(x));
}

fn run(i: u32) {
  y_values[i] = FUNCTION_(x_values[i]);
}
