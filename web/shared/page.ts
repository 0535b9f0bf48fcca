// The page's elements, and what is said in words.

type Tags = HTMLElementTagNameMap;

/** The element of this id. Throws an Error if the page has none of that tag. */
export function byId<Tag extends keyof Tags>(id: string, tag: Tag): Tags[Tag] {
  const found = document.querySelector<Tags[Tag]>(`${tag}#${id}`);
  if (found === null) throw new Error(`the page has no ${tag} #${id}`);
  return found;
}

/** Shows a sentence above everything; a problem is marked as one. */
export function say(sentence: string, kind: 'news' | 'problem' = 'news'): void {
  const status = byId('status', 'p');
  status.textContent = sentence;
  status.dataset['kind'] = kind;
}

/** What is wrong and what helps, in words for whoever uses the page. */
export function explainProblem(error: unknown): string {
  const { name, message } = error instanceof Error ? error : new Error(String(error));
  switch (name) {
    case 'NotAllowedError':
      return 'The camera or the microphone was refused. Allow them for this page in the address bar, or drop a recording instead.';
    case 'NotFoundError':
      return 'There is no camera and no microphone here. Drop a recording instead.';
    case 'NotReadableError':
      return 'Another program uses the camera or the microphone. Close it and try again.';
    default:
      return message;
  }
}

/** Why nets cannot run here; null if they can. */
export function missingWebGpu(): string | null {
  if ((globalThis.navigator as Partial<Navigator>).gpu !== undefined) return null;
  return globalThis.isSecureContext
    ? 'This browser has no WebGPU: use a current Chrome, Edge, Safari or Firefox.'
    : 'WebGPU needs https: open this page by https, or from localhost.';
}
