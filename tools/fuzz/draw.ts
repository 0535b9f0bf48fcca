/** Draws random cases: the same case for the same seed. */
import type { Shape } from '../../src/index.ts';
import { fnv1a, hashWord } from '../../test/support/hash.ts';
import type { Case, Input, Loss, Mode, Step, Update } from './case.ts';
import { PARTS, POOLS, UNARY } from './case.ts';
import { count, layoutOf } from './layout.ts';
import { shapeOf } from './steps.ts';

/**
 * Ingredients that a run can leave out: to look past a fault that is known, or, without `variety`, to need so few kernels that a
 * software adapter has compiled them in seconds.
 */
export const INGREDIENTS = [
  'views',
  'eps',
  'plant',
  'optimizer',
  'dropout',
  'modes',
  'groups',
  'variety',
] as const;
export type Ingredient = (typeof INGREDIENTS)[number];

export function drawCase(seed: number, without: ReadonlySet<Ingredient> = new Set()): Case {
  // A draw with values that are too large is thrown away.
  for (let attempt = 0; ; attempt++) {
    const net = new Drawing(`fuzz net ${seed} ${attempt}`, without).case(seed);
    try {
      layoutOf(net);
      return net;
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
    }
  }
}

// Sizes come from small sets, so that kernels are compiled once for many nets.
const BATCHES = [1, 2, 3];
const CHANNELS = [1, 2, 3, 4, 6, 8, 12];
const SIZES = [3, 4, 5, 6, 8, 9];
const EPS = [1e-5, 1e-3, 0.1];
/** All products are multiples of 4, which have kernels of their own. */
const FEW = { channels: [2, 4, 8], sizes: [4, 6] };

class Drawing {
  readonly #word: () => number;
  readonly #without: ReadonlySet<Ingredient>;
  /** Any kernel may be needed, rather than those of a few common steps. */
  readonly #varied: boolean;
  readonly #channels: readonly number[];
  readonly #inputs: Input[] = [];
  readonly #steps: Step[] = [];
  readonly #shapes: Shape[] = [];
  #names = 0;
  readonly #convs: Extract<Step, { op: 'conv' }>[] = [];
  readonly #norms: Extract<Step, { op: 'norm' }>[] = [];

  constructor(name: string, without: ReadonlySet<Ingredient>) {
    const start = fnv1a(name);
    let i = 0;
    this.#word = () => hashWord(start, i++);
    this.#without = without;
    this.#varied = !without.has('variety');
    this.#channels = this.#varied ? CHANNELS : FEW.channels;
  }

  case(seed: number): Case {
    const sizes = this.#varied ? SIZES : FEW.sizes;
    const shape = [this.#of(BATCHES), this.#of(this.#channels), this.#of(sizes), this.#of(sizes)];
    this.#addInput({ shape, ...(this.#chance(0.3) && { leaf: true }) });
    if (this.#chance(0.15))
      this.#addInput({ shape: [shape[0] ?? 1, this.#of(this.#channels), ...shape.slice(2)] });
    const length = this.#inputs.length + 3 + this.#below(9);
    while (this.#shapes.length < length) this.#tryPart();
    const optimizer = this.#optimizer();
    const losses = this.#losses(optimizer === undefined);
    const outputs = this.#range(this.#inputs.length, this.#shapes.length).filter(() => this.#chance(0.2));
    const calls = this.#of<Mode[]>([
      ['train', 'train', 'train'],
      ['train', 'train', 'train'],
      ['eval', 'eval', 'eval'],
      ['train', 'eval', 'train'],
    ]);
    const net: Case = {
      seed,
      inputs: this.#inputs,
      steps: this.#steps,
      losses,
      backward: this.#of(['sum', 'sum', 'sum', 'each', 'twice']),
      outputs: outputs.length > 0 || losses.length > 0 ? outputs : [this.#shapes.length - 1],
      calls: this.#without.has('modes') ? ['train', 'train', 'train'] : calls,
      ...(this.#chance(0.7) && { clear: true }),
      ...(optimizer && { optimizer }),
      ...(this.#chance(0.5) && { flush: true }),
      ...(this.#chance(0.4) && { keep: true }),
    };
    return this.#planted(this.#frozen(net));
  }

  /** What does not fit the sizes is left out. */
  #tryPart(): void {
    try {
      this.#part();
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
    }
  }

  /** A few steps that belong together. */
  #part(): void {
    const x = this.#pick();
    const [rank, shape] = [this.#rank(x), this.#shapeAt(x)];
    if (rank !== 4) return this.#varied ? this.#flatPart(x) : this.#backToMap(x);
    const isSmall = count(shape.slice(1)) <= 200;
    const weight = (usual: number, ingredient: Ingredient = 'variety'): number =>
      this.#without.has(ingredient) ? 0 : usual;
    const kinds: [number, () => void][] = [
      [3, () => this.#conv(this.#relu(this.#norm(x)))],
      [3, () => this.#relu(this.#norm(this.#conv(x)))],
      [2, () => this.#conv(x)],
      [1, () => this.#norm(x)],
      [weight(1), () => this.#unary(x)],
      [2, () => this.#pool(x)],
      [1, () => this.#pool(this.#conv(this.#relu(this.#norm(x))))],
      [3, () => this.#concat(x)],
      [2, () => this.#slice(x)],
      [1, () => this.#chunks(x)],
      [1, () => this.#residual(x)],
      [weight(1), () => this.#gate(x)],
      [1, () => this.#sharedConv(x)],
      [1, () => this.#sharedNorm(x)],
      [weight(1, 'eps'), () => this.#twoNorms(x)],
      [weight(3, 'views'), () => this.#view(x)],
      [weight(1, 'views'), () => this.#instanceNorm(x)],
      [weight(0.5), () => this.#permute(x)],
      [weight(0.7, 'dropout'), () => this.#add({ op: 'dropout', of: [x], p: 0.4 })],
      [weight(0.4), () => this.#add({ op: 'softmax', of: [x] })],
      [0.3, () => this.#add({ op: 'detach', of: [x] })],
      [0.3, () => this.#noGrad(() => this.#conv(x))],
      [isSmall ? weight(0.7) : 0, () => this.#head(x)],
    ];
    this.#weighted(kinds)();
  }

  /** Maps of pixels with as many elements. */
  #mapsLike(x: number): number[] {
    return this.#range(0, this.#shapes.length).filter(
      (i) => this.#rank(i) === 4 && count(this.#shapeAt(i)) === count(this.#shapeAt(x)),
    );
  }

  #backToMap(x: number): void {
    const maps = this.#mapsLike(x);
    if (maps.length > 0) this.#add({ op: 'like', of: [x, this.#of(maps)] });
  }

  /** On a value that is no map of pixels. */
  #flatPart(x: number): void {
    const maps = this.#mapsLike(x);
    const kinds: [number, () => void][] = [
      [1, () => this.#linear(x)],
      [1, () => this.#unary(x)],
      [this.#rank(x) > 1 ? 0.5 : 0, () => this.#add({ op: 'softmax', of: [x] })],
      [this.#rank(x) === 2 ? 0.5 : 0, () => this.#add({ op: 'permute', of: [x], dims: [1, 0] })],
      [maps.length > 0 ? 2 : 0, () => this.#add({ op: 'like', of: [x, this.#of(maps)] })],
      [1, () => this.#add({ op: 'view', of: [x], to: this.#of(['line', 'flat', 'unsqueeze', 'squeeze']) })],
    ];
    this.#weighted(kinds)();
  }

  #conv(x: number): number {
    if (this.#rank(x) !== 4) return x;
    if (!this.#varied) {
      const kernel = this.#of([1, 3]);
      const size = kernel === 3 ? { kernel, padding: 1 } : { kernel };
      return this.#addConv({
        op: 'conv',
        of: [x],
        name: this.#name('c'),
        out: this.#of(this.#channels),
        ...size,
      });
    }
    const [, channels = 1, height = 1, width = 1] = this.#shapeAt(x);
    const kernel = Math.min(height, width) < 3 ? 1 : this.#of([1, 1, 3, 3, 2]);
    const dilation = kernel > 1 && this.#chance(0.15) ? 2 : 1;
    const groups = this.#of([2, 3, channels].filter((g) => channels % g === 0));
    return this.#addConv({
      op: 'conv',
      of: [x],
      name: this.#name('c'),
      out: this.#of(this.#channels),
      kernel,
      ...(this.#chance(0.2) && { stride: 2 }),
      ...(kernel === 3 && this.#chance(0.85) && { padding: dilation }),
      ...(kernel < 3 && this.#chance(0.1) && { padding: 1 }),
      ...(dilation > 1 && { dilation }),
      ...(groups > 1 && !this.#without.has('groups') && this.#chance(0.3) && { groups }),
      ...(this.#chance(0.4) && { bias: true }),
    });
  }

  #addConv(step: Extract<Step, { op: 'conv' }>): number {
    this.#convs.push(step);
    return this.#add(step);
  }

  #sharedConv(x: number): void {
    const [, channels] = this.#shapeAt(x);
    const known = this.#convs.filter(({ of: [from] }) => this.#shapeAt(from)[1] === channels);
    if (known.length === 0) {
      this.#conv(this.#conv(x));
      return;
    }
    this.#add({ ...this.#of(known), of: [x] });
  }

  #norm(x: number, eps?: number): number {
    const shape = this.#shapeAt(x);
    if (shape.length < 2 || count(shape) / (shape[1] ?? 1) < 12) return x;
    const stats = this.#chance(0.5) ? this.#name('s') : undefined;
    const chosen = eps ?? (!this.#without.has('eps') && this.#chance(0.25) ? this.#of(EPS) : undefined);
    return this.#addNorm({
      op: 'norm',
      of: [x],
      name: this.#name('n'),
      ...(this.#chance(0.75) && { affine: true }),
      ...(stats !== undefined && { stats }),
      ...(chosen !== undefined && { eps: chosen }),
    });
  }

  #addNorm(step: Extract<Step, { op: 'norm' }>): number {
    this.#norms.push(step);
    return this.#add(step);
  }

  /** The leaves of a norm on another value, its running statistics included. */
  #sharedNorm(x: number): void {
    const channels = this.#shapeAt(x)[1];
    const known = this.#norms.filter(({ of: [from] }) => this.#shapeAt(from)[1] === channels);
    if (known.length > 0) this.#relu(this.#add({ ...this.#of(known), of: [x] }));
  }

  #relu(x: number): number {
    if (this.#chance(0.15)) return x;
    const fn =
      !this.#varied || this.#chance(0.8) ? 'relu' : this.#of(['leakyRelu', 'sigmoid', 'tanh'] as const);
    return this.#add({ op: 'unary', of: [x], fn });
  }

  #permute(x: number): void {
    const orders = [
      [1, 0, 2, 3],
      [0, 1, 3, 2],
      [0, 2, 3, 1],
    ];
    this.#add({ op: 'permute', of: [x], dims: this.#of(orders) });
  }

  #unary(x: number): void {
    this.#add({ op: 'unary', of: [x], fn: this.#of(UNARY) });
  }

  #pool(x: number): void {
    if (this.#rank(x) !== 4) return;
    this.#add({ op: 'pool', of: [x], kind: this.#of(this.#varied ? POOLS : ['avg2', 'one']) });
  }

  #concat(x: number): void {
    const [n, , h, w] = this.#shapeAt(x);
    const fitting = this.#range(0, this.#shapes.length).filter((i) => {
      const shape = this.#shapeAt(i);
      return shape.length === 4 && shape[0] === n && shape[2] === h && shape[3] === w;
    });
    const others = Array.from({ length: 1 + this.#below(3) }, () => this.#of(fitting));
    this.#add({ op: 'concat', of: this.#chance(0.8) ? [x, ...others] : [...others, x], dim: 1 });
    if (this.#varied && this.#chance(0.1)) this.#add({ op: 'concat', of: [x, x], dim: this.#of([0, 2, 3]) });
  }

  #slice(x: number): void {
    this.#add({
      op: 'slice',
      of: [x],
      dim: this.#varied ? this.#of([1, 1, 1, 0, 2, 3]) : 1,
      part: this.#of(PARTS),
    });
  }

  #chunks(x: number): void {
    if ((this.#shapeAt(x)[1] ?? 1) < 2) return;
    const first = this.#add({ op: 'slice', of: [x], dim: 1, part: 'first' });
    const second = this.#add({ op: 'slice', of: [x], dim: 1, part: 'second' });
    this.#add({ op: 'concat', of: [this.#chance(0.6) ? this.#conv1(first) : first, second], dim: 1 });
  }

  #conv1(x: number): number {
    return this.#add({
      op: 'conv',
      of: [x],
      name: this.#name('c'),
      out: this.#of(this.#channels),
      kernel: 1,
    });
  }

  #residual(x: number): void {
    const [, channels = 1] = this.#shapeAt(x);
    const y = this.#chance(0.5) ? this.#relu(this.#norm(x)) : this.#norm(this.#same(x, channels));
    const sum = this.#add({ op: 'add', of: this.#chance(0.5) ? [x, y] : [y, x] });
    if (this.#chance(0.5)) this.#relu(sum);
  }

  #same(x: number, out: number): number {
    return this.#add({ op: 'conv', of: [x], name: this.#name('c'), out, kernel: 3, padding: 1 });
  }

  #gate(x: number): void {
    const [, channels = 1] = this.#shapeAt(x);
    const from = this.#chance(0.5) ? this.#add({ op: 'pool', of: [x], kind: this.#of(['one', 'mean']) }) : x;
    const gate = this.#add({
      op: 'unary',
      of: [
        this.#add({ op: 'conv', of: [from], name: this.#name('c'), out: channels, kernel: 1, bias: true }),
      ],
      fn: this.#of(['sigmoid', 'tanh']),
    });
    this.#add({ op: 'mul', of: [x, gate] });
  }

  #twoNorms(x: number): void {
    const [a, b] = [this.#norm(x, this.#of(EPS)), this.#norm(x, this.#of(EPS))];
    const [p, q] = [this.#relu(a), this.#chance(0.5) ? this.#relu(b) : this.#conv(b)];
    const same = this.#shapeAt(p).join() === this.#shapeAt(q).join();
    if (same) this.#add({ op: this.#of(['add', 'mul']), of: [p, q] });
  }

  #view(x: number): void {
    const y = this.#add({
      op: 'view',
      of: [x],
      to: this.#of(['same', 'merge', 'rows', 'swap', 'fold', 'unfold', 'flat', 'line', 'squeeze']),
    });
    if (this.#chance(0.6)) this.#add({ op: 'like', of: [y, x] });
  }

  #instanceNorm(x: number): void {
    const from = this.#chance(0.5) ? this.#conv(x) : x;
    const view = this.#add({ op: 'view', of: [from], to: 'instance' });
    const back = this.#add({ op: 'like', of: [this.#norm(view), from] });
    if (this.#chance(0.7)) this.#relu(back);
  }

  #noGrad(draw: () => void): void {
    const start = this.#steps.length;
    draw();
    for (let i = start; i < this.#steps.length; i++) {
      const step = this.#steps[i];
      if (step !== undefined) this.#steps[i] = { ...step, noGrad: true };
    }
  }

  #head(x: number): void {
    this.#linear(this.#add({ op: 'view', of: [x], to: 'flat' }));
  }

  #linear(x: number): void {
    this.#add({
      op: 'linear',
      of: [x],
      name: this.#name('l'),
      out: this.#of([1, 3, 5, 10]),
      ...(this.#chance(0.6) && { bias: true }),
    });
  }

  /** The sum of a norm has gradients that are rounding alone, which say nothing once an update has used them. */
  #losses(sums: boolean): Loss[] {
    if (this.#chance(0.06)) return [];
    const last = this.#shapes.length - 1;
    const loss = (of: number): Loss => {
      const shape = this.#shapeAt(of);
      const cross = this.#varied && shape.length > 1 && count(shape.slice(1)) > 1 && this.#chance(0.3);
      return {
        of,
        kind: cross ? 'cross' : this.#of(['dot', 'dot', 'given', 'square', sums ? 'sum' : 'dot'] as const),
      };
    };
    const more = Array.from({ length: this.#below(3) }, () =>
      loss(this.#inputs.length + this.#below(this.#steps.length)),
    );
    return [loss(last), ...more];
  }

  #optimizer(): Update | undefined {
    if (this.#without.has('optimizer') || this.#chance(0.6)) return undefined;
    const dropout = this.#steps.some(({ op }) => op === 'dropout');
    return {
      kind: this.#varied ? this.#of(['sgd', 'momentum', 'adam']) : 'sgd',
      ...(this.#chance(0.3) && !dropout && { again: true }),
      ...(this.#chance(0.25) && { outside: true }),
    };
  }

  #frozen(net: Case): Case {
    if (!this.#chance(0.3)) return net;
    const names = namesOf(net).filter(() => this.#chance(0.3));
    return names.length > 0 ? { ...net, frozen: names } : net;
  }

  #planted(net: Case): Case {
    if (this.#without.has('plant') || !this.#chance(0.15)) return net;
    const names = namesOf(net);
    const name = this.#chance(0.6) || names.length === 0 ? 'input0' : this.#of(names);
    const value = this.#of(['NaN', 'NaN', 'NaN', 'Infinity', '-Infinity'] as const);
    // x a + b with an infinite scale a is NaN where (x - mean) a is infinite: PyTorch too computes either.
    const scales = name.startsWith('n') && name.includes('.weight');
    return { ...net, plant: { name, index: this.#below(1000), value: scales ? 'NaN' : value } };
  }

  #addInput(input: Input): void {
    this.#inputs.push(input);
    this.#shapes.push(input.shape);
  }

  /** Gives the number of the step's value. */
  #add(step: Step): number {
    this.#shapes.push(shapeOf(step, this.#shapes));
    this.#steps.push(step);
    return this.#shapes.length - 1;
  }

  /** Mostly the last value. */
  #pick(): number {
    const last = this.#shapes.length - 1;
    return this.#chance(this.#rank(last) === 4 ? 0.65 : 0.4) ? last : this.#below(this.#shapes.length);
  }

  #shapeAt(i: number): Shape {
    return this.#shapes[i] ?? [];
  }

  #rank(i: number): number {
    return this.#shapeAt(i).length;
  }

  #name(prefix: string): string {
    return `${prefix}${this.#names++}`;
  }

  #below(n: number): number {
    return this.#word() % n;
  }

  #chance(p: number): boolean {
    return this.#word() < p * 2 ** 32;
  }

  #of<T>(list: readonly T[]): T {
    return list[this.#below(list.length)] as T;
  }

  #weighted(kinds: readonly [number, () => void][]): () => void {
    let at = (this.#word() / 2 ** 32) * kinds.reduce((sum, [weight]) => sum + weight, 0);
    for (const [weight, draw] of kinds) if ((at -= weight) < 0) return draw;
    return () => undefined;
  }

  #range(from: number, to: number): number[] {
    return Array.from({ length: to - from }, (_, i) => from + i);
  }
}

function namesOf(net: Case): string[] {
  try {
    return [...layoutOf(net).leaves.values()]
      .filter(({ statistic }) => statistic !== true)
      .map(({ name }) => name);
  } catch {
    return [];
  }
}
