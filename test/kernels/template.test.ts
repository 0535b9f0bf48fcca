import { expect, it } from 'vitest';
import { expandTemplate } from '../../src/kernels/template.ts';

const SOURCE = `//#include head
//#if FAST
let a = TYPE_(1); // a TYPE_
//#else
let a = SLOW_;
//#endif`;

it('includes, chooses and substitutes in code, and keeps comments', () => {
  const text = expandTemplate('test', SOURCE, {
    include: { head: '// head\n  //#include more', more: 'alias T = TYPE_;' },
    when: { FAST: true },
    substitute: { TYPE_: 'f32' },
  });
  expect(text).toBe('// head\nalias T = f32;\nlet a = f32(1); // a TYPE_');
});

it('refuses names that are missing or unused', () => {
  const given = { include: { head: '' }, when: { FAST: false }, substitute: { SLOW_: 2 } };
  expect(() => expandTemplate('test', SOURCE, { ...given, include: {} })).toThrow('includes head');
  expect(() => expandTemplate('test', SOURCE, { ...given, when: {} })).toThrow('tests FAST');
  expect(() => expandTemplate('test', SOURCE, { ...given, substitute: {} })).toThrow(
    'needs a value for SLOW_',
  );
  const more = { ...given, when: { FAST: false, OTHER: true } };
  expect(() => expandTemplate('test', SOURCE, more)).toThrow('test does not use OTHER');
  expect(() => expandTemplate('test', '//#if FAST', { when: { FAST: true } })).toThrow('without //#endif');
});

it('enables the extensions that the code uses, and not those of comments', () => {
  const values = { substitute: { TYPE_: 'vec4<f16>' } };
  expect(expandTemplate('half', 'var a: TYPE_; // by subgroupAdd', values)).toBe(
    'enable f16;\nvar a: vec4<f16>; // by subgroupAdd',
  );
  expect(expandTemplate('plain', 'let a = subgroupShuffleXor(b, 1u);')).toMatch(/^enable subgroups;\nlet/);
});
