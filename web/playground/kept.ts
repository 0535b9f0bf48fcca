// Edited examples, kept in this browser.

const keyOf = (name: string): string => `wavelight-playground-${name}`;

/** Code of the example as it was edited; null if it was not, or the browser keeps nothing. */
export function kept(name: string): string | null {
  try {
    return localStorage.getItem(keyOf(name));
  } catch {
    return null;
  }
}

/** Keeps edited code, and forgets what is as it was. A browser that keeps nothing does no harm. */
export function keep(name: string, code: string, original: string): void {
  try {
    if (code === original) localStorage.removeItem(keyOf(name));
    else localStorage.setItem(keyOf(name), code);
  } catch {
    // The code stays in the editor.
  }
}
