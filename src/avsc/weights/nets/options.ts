// Kinds of options of nets' sizes that are lists.

/** Limit of an entry, far above that of any net, so that options from a stranger's file cannot ask for more memory than there is. */
const LARGEST = 16_384;

interface ListLength {
  readonly least?: number;
  readonly most: number;
}

/** A list of `least` (default 1) to `most` integers of 1 to LARGEST. */
export function counts({ least = 1, most }: ListLength) {
  const length = least === most ? `${most}` : `${least} to ${most}`;
  return {
    what: `a list of ${length} integers of 1 to ${LARGEST}`,
    accepts: (value: unknown): boolean =>
      Array.isArray(value) &&
      value.length >= least &&
      value.length <= most &&
      Array.from<unknown>(value).every(isCount),
  };
}

/** An integer of `least` to LARGEST. */
export const count = (least: number) => ({
  what: `an integer of ${least} to ${LARGEST}`,
  accepts: (value: unknown): boolean => isCount(value) && (value as number) >= least,
});

const isCount = (value: unknown): boolean =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 1 && value <= LARGEST;
