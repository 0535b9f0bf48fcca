/*
 * Two copies of this package may meet: two versions of it, two bundles in one page, modules loaded anew by a hot reload. The
 * classes of one are strangers to the other, by instanceof and by their private fields, so objects of another copy are refused.
 */

type Kind = 'tensor' | 'device' | 'module' | 'parameter';

export interface Brand {
  readonly kind: Kind;
  /** The copy of the package, by an object of its own. */
  readonly copy: object;
}

const COPY = {};

/** Key of the brand that the prototypes of Tensor, Module and others bear, the same in all copies. */
export const BRAND: unique symbol = Symbol.for('wavelight.brand');

export const brandOf = (kind: Kind): Brand => ({ kind, copy: COPY });

/** What an object of another copy is; null for all others. */
function foreignKind(value: unknown): Kind | null {
  if (typeof value !== 'object' || value === null) return null;
  const { [BRAND]: brand } = value as { readonly [BRAND]?: Brand };
  return brand === undefined || brand.copy === COPY ? null : brand.kind;
}

/** How errors speak of an object of another copy; null for all others. */
export function formatForeign(value: unknown): string | null {
  const kind = foreignKind(value);
  return kind === null
    ? null
    : `a ${kind} made by another copy of wavelight (two versions or bundles in one page, or a hot reload)`;
}

/** Throws a TypeError for an object that another copy of the package has made. */
export function refuseForeign(what: string, value: unknown): void {
  const foreign = formatForeign(value);
  if (foreign === null) return;
  throw new TypeError(
    `${what} got ${foreign}: import one copy, and make devices, nets and tensors anew after a reload`,
  );
}
