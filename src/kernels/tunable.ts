/*
 * Work whose geometry can be chosen by measuring. A kernel function says what its choices are and makes its dispatches by any of them;
 * `settle` takes the choice that was measured to be the best on the adapter, if it is one that the kernel has, and its WGSL is still
 * the one that was measured.
 */
import type { ChoiceRecord } from '../gpu/tuned.ts';
import type { KernelContext, Tunable, TunedChoice } from './context.ts';

interface Settling<C extends TunedChoice> extends Omit<Tunable, 'key' | 'chosen' | 'usual'> {
  readonly key: () => string;
  readonly usual: C;
  /** The choice of a record if the kernel can take it, else null. */
  readonly admit: (record: ChoiceRecord) => C | null;
}

/** The choice to take: the measured one where there is a valid one. */
export function settle<C extends TunedChoice>(
  context: KernelContext,
  { key, admit, ...work }: Settling<C>,
): C {
  const { tuned, onTunable } = context;
  if (tuned === undefined && onTunable === undefined) return work.usual;
  const name = key();
  const found = tuned?.get(name);
  const admitted = found === undefined ? null : admit(found.choice);
  const chosen =
    admitted !== null && hashOf(context, work, [admitted]) === found?.wgsl ? admitted : work.usual;
  onTunable?.({ ...work, key: name, chosen });
  return chosen;
}

/** Hash of the WGSL that the choices run. */
export function hashOf(
  { geometry }: Pick<KernelContext, 'geometry'>,
  { make }: Pick<Tunable, 'make'>,
  choices: readonly TunedChoice[],
): string {
  const context: KernelContext = { geometry, temporary: (length, dtype = 'f32') => ({ dtype, length }) };
  const codes = choices.flatMap((choice) => make(context, choice).dispatches.map(({ code }) => code));
  return hashOfText(codes.map(hashOfText).join());
}

const texts = new Map<string, string>();

/** 64 bits in hex: FNV-1a over UTF-16 units, from two starts. It guards against change, not against intent. */
function hashOfText(text: string): string {
  const known = texts.get(text);
  if (known !== undefined) return known;
  let [low, high] = [0x811c9dc5, 0x9747b28c];
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    low = Math.imul(low ^ unit, 0x01000193);
    high = Math.imul(high ^ unit, 0x85ebca6b);
    high ^= high >>> 13;
  }
  const hash = [low, high].map((half) => (half >>> 0).toString(16).padStart(8, '0')).join('');
  texts.set(text, hash);
  return hash;
}
