import { expect, it } from 'vitest';
import { storeHalves } from '../../src/kernels/half.ts';
import type { Dispatch, DType } from '../../src/gpu/dispatch.ts';

const dispatch = (code: string, ...dtypes: DType[]): Dispatch => ({
  label: 'test',
  code,
  operands: dtypes.map((dtype) => ({ buffer: { dtype, length: 4 }, access: 'read' })),
  workgroups: [1, 1, 1],
  flops: 0,
  bytes: 0,
});

const CODE = `alias Four = vec4f;
@group(0) @binding(0) var<storage, read> x: array<f32>; // x[i] is read
@group(0) @binding(1) var<storage, read> table: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<Four>;
fn run(i: u32) {
  let mask = x[i] == 0.0 || x[i] <= table[i];
  y[i] = Four(x[u32(x[i])]); // y[i] = 1
  y[i + 1u] += y[i] * box.x[i];
  maxx[i] = x[i];
}`;

it('widens what is read and rounds what is written, of halves alone', () => {
  const { code } = storeHalves(dispatch(CODE, 'f16', 'f32', 'f16'));
  expect(code).toBe(`enable f16;
alias Four = vec4f;
@group(0) @binding(0) var<storage, read> x: array<f16>; // x[i] is read
@group(0) @binding(1) var<storage, read> table: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4<f16>>;
fn run(i: u32) {
  let mask = f32(x[i]) == 0.0 || f32(x[i]) <= table[i];
  y[i] = vec4<f16>(Four(f32(x[u32(f32(x[i]))]))); // y[i] = 1
  y[i + 1u] = vec4<f16>(Four(y[i + 1u]) + (Four(y[i]) * box.x[i]));
  maxx[i] = f32(x[i]);
}`);
});

it('leaves a kernel alone that has no halves, or declares them itself', () => {
  const plain = dispatch(CODE, 'f32', 'f32', 'f32');
  expect(storeHalves(plain)).toBe(plain);
  const own = 'enable f16;\n@group(0) @binding(0) var<storage, read> x: array<f16>;\nlet a = x[0];';
  expect(storeHalves(dispatch(own, 'f16')).code).toBe(own);
});

it('says where WGSL is not closed', () => {
  const open = '@group(0) @binding(0) var<storage, read> x: array<f32>;\nlet a = x[(1;';
  expect(() => storeHalves(dispatch(open, 'f16'))).toThrow('WGSL has no ] after: (1;');
});
