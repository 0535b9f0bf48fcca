// y = f(a, b) with broadcasting: f is FUNCTION_, one of the functions below; b is one number with NUMBER.
//
// y is dense in the broadcast shape; a and b are walked by strides (see lib_strided), 0 where they repeat. A thread
// computes ITEMS_ neighbours along the innermost dimension, with REST perhaps fewer at a row's end, each of TYPE_: four
// elements where that dimension allows. A_ELEMENT_ and B_ELEMENT_ are TYPE_, or a single element that all four share.
// RESULT_ is TYPE_, except that comparisons give f32 0 or 1.
//#include threads
//#include strided
//#include nan
struct Params {
  threads: u32, row_threads: u32, row_length: u32, number: NUMBER_TYPE_,
  a_base: u32, b_base: u32, a_step: u32, b_step: u32,
  size0: u32, size1: u32, size2: u32, size3: u32, size4: u32,
  a0: u32, a1: u32, a2: u32, a3: u32, a4: u32, a_last: u32,
  b0: u32, b1: u32, b2: u32, b3: u32, b4: u32, b_last: u32,
}

@group(0) @binding(0) var<storage, read> a_values: array<A_ELEMENT_>;
//#if NUMBER
@group(0) @binding(1) var<storage, read_write> y_values: array<RESULT_>;
@group(0) @binding(2) var<uniform> params: Params;
//#else
@group(0) @binding(1) var<storage, read> b_values: array<B_ELEMENT_>;
@group(0) @binding(2) var<storage, read_write> y_values: array<RESULT_>;
@group(0) @binding(3) var<uniform> params: Params;
//#endif

// Where a or b is NaN, which WGSL's comparisons need not see.
fn unordered(a: TYPE_, b: TYPE_) -> BOOL_ {
//#if FLOAT
  return IS_NAN_(a) | IS_NAN_(b);
//#else
  return BOOL_();
//#endif
}

//#if ARITHMETIC
fn add(a: TYPE_, b: TYPE_) -> TYPE_ {
  return a + b;
}

fn subtract(a: TYPE_, b: TYPE_) -> TYPE_ {
  return a - b;
}

fn subtract_from(a: TYPE_, b: TYPE_) -> TYPE_ {
  return b - a;
}

fn multiply(a: TYPE_, b: TYPE_) -> TYPE_ {
  return a * b;
}

fn divide(a: TYPE_, b: TYPE_) -> TYPE_ {
  return a / b;
}

fn divide_into(a: TYPE_, b: TYPE_) -> TYPE_ {
  return b / a;
}

fn maximum(a: TYPE_, b: TYPE_) -> TYPE_ {
  return select(max(a, b), a + b, unordered(a, b));
}

fn minimum(a: TYPE_, b: TYPE_) -> TYPE_ {
  return select(min(a, b), a + b, unordered(a, b));
}

// Gradient a times an operand's share b of it: 0 where the share is 0, even if the gradient is infinite.
fn multiply_share(a: TYPE_, b: TYPE_) -> TYPE_ {
  return select(a * b, TYPE_(), b == TYPE_());
}
//#else
const NO = RESULT_(0.0);
const YES = RESULT_(1.0);

fn equal(a: TYPE_, b: TYPE_) -> RESULT_ {
  return select(NO, YES, (a == b) & !unordered(a, b));
}

fn not_equal(a: TYPE_, b: TYPE_) -> RESULT_ {
  return select(NO, YES, (a != b) | unordered(a, b));
}

fn less(a: TYPE_, b: TYPE_) -> RESULT_ {
  return select(NO, YES, (a < b) & !unordered(a, b));
}

fn less_equal(a: TYPE_, b: TYPE_) -> RESULT_ {
  return select(NO, YES, (a <= b) & !unordered(a, b));
}

fn greater(a: TYPE_, b: TYPE_) -> RESULT_ {
  return select(NO, YES, (a > b) & !unordered(a, b));
}

fn greater_equal(a: TYPE_, b: TYPE_) -> RESULT_ {
  return select(NO, YES, (a >= b) & !unordered(a, b));
}

// The part of the gradient of maximum(a, b), and of minimum(a, b), that is a's. As in PyTorch equals share it, and with a NaN
// either has all of it.
fn share_of_greater(a: TYPE_, b: TYPE_) -> RESULT_ {
  return select(select(select(NO, YES, a > b), RESULT_(0.5), a == b), YES, unordered(a, b));
}

fn share_of_less(a: TYPE_, b: TYPE_) -> RESULT_ {
  return share_of_greater(b, a);
}
//#endif

fn run(thread: u32) {
  let at = positions(thread);
//#if REST
  let row = thread / params.row_threads;
  let first = (thread - row * params.row_threads) * ITEMS_;
  let count = min(ITEMS_, params.row_length - first);
  let y = row * params.row_length + first;
//#else
  let count = ITEMS_;
  let y = thread * ITEMS_;
//#endif
  for (var item = 0u; item < count; item++) {
    let a = TYPE_(a_values[at.x + item * params.a_step]);
//#if NUMBER
    let b = TYPE_(params.number);
//#else
    let b = TYPE_(b_values[at.y + item * params.b_step]);
//#endif
    y_values[y + item] = FUNCTION_(a, b);
  }
}
