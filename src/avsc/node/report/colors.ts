// Which color of the palette (style.ts, --c0 to --c7) a model has.

/** Models that most runs have look alike in every report. */
const FIXED: Readonly<Record<string, number>> = { audio: 0, video: 1, joint: 2, ensemble: 3 };
const PALETTE = 8;

/** A color's index for each id: the fixed ones, then the free colors in the order of the ids. */
export function colorsOf(ids: readonly string[]): Map<string, number> {
  const fixed = new Map(Object.entries(FIXED).filter(([id]) => ids.includes(id)));
  const used = new Set(fixed.values());
  const free = Array.from({ length: PALETTE }, (_, i) => i).filter((color) => !used.has(color));
  const others = [...new Set(ids)].filter((id) => !fixed.has(id));
  const given = others.map((id, i) => [id, free[i % free.length] ?? 0] as const);
  const color = new Map([...fixed, ...given]);
  return new Map(ids.map((id) => [id, color.get(id) ?? 0]));
}

export function colorVariable(index: number): string {
  return `var(--c${index})`;
}
