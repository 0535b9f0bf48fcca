// What all charts of a report share. Functions in this folder run in the reader's browser, not here: a report holds their source text
// (document.ts). Each is therefore complete in itself: it uses its parameters, its own inner functions and the browser's globals.

import type * as Plot from '@observablehq/plot';

export type Kit = ReturnType<typeof makeKit>;

/** `colors` are the indices of the models' colors in the palette. */
export function makeKit(plot: typeof Plot, colors: readonly (readonly [string, number])[]) {
  const indices = new Map(colors);
  const numbers = new Intl.NumberFormat('en-US');

  /**
   * Draws a chart into the element with this id, now and whenever its width changes; `make` gets the width in pixels. Returns a
   * function that draws it again.
   */
  function chart(id: string, make: (width: number) => Element): () => void {
    const host = document.getElementById(id);
    if (host === null) return () => undefined;
    let width = 0;
    const draw = (): void => {
      width = host.clientWidth;
      if (width > 0) host.replaceChildren(make(width));
    };
    new ResizeObserver(() => {
      if (host.clientWidth !== width) draw();
    }).observe(host);
    draw();
    return draw;
  }

  /** Calls `changed` whenever a form control in the element with this id changes. */
  function onChange(id: string, changed: () => void): void {
    document.getElementById(id)?.addEventListener('change', changed);
  }

  /** Values of the checked boxes or radio buttons with this name. */
  function checked(name: string): string[] {
    const inputs = document.querySelectorAll<HTMLInputElement>(`input[name="${name}"]:checked`);
    return [...inputs].map(({ value }) => value);
  }

  /** A number with three digits, small ones with an exponent. */
  function significant(value: number): string {
    const rounded = Number(value.toPrecision(3));
    return rounded !== 0 && Math.abs(rounded) < 1e-3 ? rounded.toExponential() : String(rounded);
  }

  /** At most about seven ticks of a logarithmic scale: 1, 2 and 5 times the powers of ten, or some of the powers. */
  function logTicks(values: readonly number[]): number[] {
    const low = Math.floor(Math.log10(values.reduce((least, value) => Math.min(least, value), Infinity)));
    const high = Math.ceil(Math.log10(values.reduce((most, value) => Math.max(most, value), 0)));
    const stride = Math.max(1, Math.ceil((high - low) / 6));
    const powers = Array.from({ length: Math.max(0, high - low + 1) }, (_, i) => low + i);
    const shown = powers.filter((power) => (power - low) % stride === 0);
    return shown.flatMap((power) =>
      (high - low <= 2 && power < high ? [1, 2, 5] : [1]).map((digit) => Number(`${digit}e${power}`)),
    );
  }

  return {
    plot,
    chart,
    onChange,
    checked,
    color: (model: string): string => `var(--c${indices.get(model) ?? 0})`,
    percent: (fraction: number): string => `${(100 * fraction).toFixed(1)} %`,
    count: (value: number): string => numbers.format(value),
    significant,
    logTicks,
    words: (name: string): string => name.replaceAll('_', ' '),
    /** Options of every tooltip. */
    tip: { fontSize: 12, lineHeight: 1.35, textPadding: 10, pathFilter: 'var(--tip-shadow)' },
  };
}
