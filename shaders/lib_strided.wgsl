// Where thread `index` works in two arrays that are walked in the same order, each by strides of its own. The index
// counts over sizes [.., size1, size0], size0 innermost, of RANK dimensions; *_last are the outermost dimension's
// strides. Only RANK - 1 divisions are made.
fn positions(index: u32) -> vec2u {
  var rest = index;
  var at = vec2u(params.a_base, params.b_base);
//#if RANK2
  at += (rest % params.size0) * vec2u(params.a0, params.b0);
  rest /= params.size0;
//#endif
//#if RANK3
  at += (rest % params.size1) * vec2u(params.a1, params.b1);
  rest /= params.size1;
//#endif
//#if RANK4
  at += (rest % params.size2) * vec2u(params.a2, params.b2);
  rest /= params.size2;
//#endif
//#if RANK5
  at += (rest % params.size3) * vec2u(params.a3, params.b3);
  rest /= params.size3;
//#endif
//#if RANK6
  at += (rest % params.size4) * vec2u(params.a4, params.b4);
  rest /= params.size4;
//#endif
  return at + rest * vec2u(params.a_last, params.b_last);
}
