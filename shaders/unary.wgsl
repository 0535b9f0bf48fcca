// y_i = f(x_i): FUNCTION_ is one of the functions below, params.p and params.q its constants.
//
// x and y are dense [count] of TYPE_, which is vec4f where the length is a multiple of 4, else f32. A thread takes
// ITEMS_ neighbours, which divide count.
// Comparisons are put so that a NaN passes through.
struct Params { count: u32, p: f32, q: f32 }

@group(0) @binding(0) var<storage, read> x_values: array<TYPE_>;
@group(0) @binding(1) var<storage, read_write> y_values: array<TYPE_>;
@group(0) @binding(2) var<uniform> params: Params;

const ZERO = TYPE_(0.0);

fn relu(x: TYPE_) -> TYPE_ {
  return select(x, ZERO, x <= ZERO);
}

// p is the slope below 0.
fn leaky_relu(x: TYPE_) -> TYPE_ {
  return select(x, x * params.p, x <= ZERO);
}

// exp only sees what is not positive, so nothing overflows.
fn sigmoid(x: TYPE_) -> TYPE_ {
  let e = exp(-abs(x));
  return select(e, TYPE_(1.0), x >= ZERO) / (1.0 + e);
}

// Near 0 the quotient would cancel; there the polynomial of Cephes (tanhf).
fn stable_tanh(x: TYPE_) -> TYPE_ {
  let e = exp(-2.0 * abs(x));
  let quotient = sign(x) * (1.0 - e) / (1.0 + e);
  let z = x * x;
  let tail = (((-5.70498872745e-3 * z + 2.06390887954e-2) * z - 5.37397155531e-2) * z + 1.33314422036e-1) * z
    - 3.33332819422e-1;
  return select(quotient, x + x * z * tail, abs(x) < TYPE_(0.625));
}

fn exponential(x: TYPE_) -> TYPE_ {
  return exp(x);
}

fn logarithm(x: TYPE_) -> TYPE_ {
  return log(x);
}

fn square_root(x: TYPE_) -> TYPE_ {
  return sqrt(x);
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

// x^p for whole p >= 0 by squaring: pow(x, y) knows no negative x and loses digits.
fn whole_power(x: TYPE_) -> TYPE_ {
  var result = TYPE_(1.0);
  var factor = x;
  for (var rest = u32(params.p); rest > 0u; rest >>= 1u) {
    if ((rest & 1u) == 1u) {
      result *= factor;
    }
    factor *= factor;
  }
  return result;
}

// x^p for x >= 0; q is 0^p, which pow may leave undefined.
fn power(x: TYPE_) -> TYPE_ {
  return select(pow(x, TYPE_(params.p)), TYPE_(params.q), x == ZERO);
}

fn clamp_both(x: TYPE_) -> TYPE_ {
  return clamp_max(clamp_min(x));
}

fn clamp_min(x: TYPE_) -> TYPE_ {
  return select(x, TYPE_(params.p), x < TYPE_(params.p));
}

fn clamp_max(x: TYPE_) -> TYPE_ {
  return select(x, TYPE_(params.q), x > TYPE_(params.q));
}

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let first = ((workgroup.x + workgroup.y * workgroups.x) * 64u + local) * ITEMS_;
  if (first >= params.count) {
    return;
  }
  for (var i = first; i < first + ITEMS_; i++) {
    y_values[i] = FUNCTION_(x_values[i]);
  }
}
