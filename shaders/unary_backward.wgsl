// dx_i = dy_i f'(x_i): FUNCTION_ is one of the functions below, which tell f' by what forward saved, x_i or y_i.
// params.p and params.q are the constants of f.
//
// dy, saved and dx are dense [count] of TYPE_, which is vec4f where the length is a multiple of 4, else f32. A thread
// takes ITEMS_ neighbours, which divide count.
//#include elements
//#include nan
//#include relu
struct Params { count: u32, p: f32, q: f32 }

@group(0) @binding(0) var<storage, read> dy_values: array<TYPE_>;
@group(0) @binding(1) var<storage, read> saved_values: array<TYPE_>;
@group(0) @binding(2) var<storage, read_write> dx_values: array<TYPE_>;
@group(0) @binding(3) var<uniform> params: Params;

const ZERO = TYPE_(0.0);

// As in PyTorch a NaN belongs to the slope below 0.
fn leaky_relu(dy: TYPE_, x: TYPE_) -> TYPE_ {
  return select(dy, dy * params.p, (x <= ZERO) | IS_NAN_(x));
}

fn sigmoid(dy: TYPE_, y: TYPE_) -> TYPE_ {
  return dy * y * (1.0 - y);
}

fn stable_tanh(dy: TYPE_, y: TYPE_) -> TYPE_ {
  return dy * (1.0 - y * y);
}

fn exponential(dy: TYPE_, y: TYPE_) -> TYPE_ {
  return dy * y;
}

fn logarithm(dy: TYPE_, x: TYPE_) -> TYPE_ {
  return dy / x;
}

fn square_root(dy: TYPE_, y: TYPE_) -> TYPE_ {
  return 0.5 * dy / y;
}

fn absolute(dy: TYPE_, x: TYPE_) -> TYPE_ {
  return dy * select(sign(x), ZERO, IS_NAN_(x));
}

fn square(dy: TYPE_, x: TYPE_) -> TYPE_ {
  return 2.0 * dy * x;
}

fn reciprocal(dy: TYPE_, y: TYPE_) -> TYPE_ {
  return -dy * y * y;
}

// The limits themselves belong to the range and a NaN does not, as in PyTorch.
fn clamp_both(dy: TYPE_, x: TYPE_) -> TYPE_ {
  return clamp_max(clamp_min(dy, x), x);
}

fn clamp_min(dy: TYPE_, x: TYPE_) -> TYPE_ {
  return select(dy, ZERO, (x < TYPE_(params.p)) | IS_NAN_(x));
}

fn clamp_max(dy: TYPE_, x: TYPE_) -> TYPE_ {
  return select(dy, ZERO, (x > TYPE_(params.q)) | IS_NAN_(x));
}

fn run(i: u32) {
  dx_values[i] = FUNCTION_(dy_values[i], saved_values[i]);
}
