// Code in the address of the page, compressed: a link holds all of it, and no server knows it.

const PREFIX = '#code=';
/** Characters of code; more is refused, so that a small link cannot unpack to a large text. */
const LONGEST = 200_000;

/** The address of this page with the code in it. */
export async function linkTo(code: string): Promise<string> {
  const stream = new Blob([code]).stream().pipeThrough(new CompressionStream('deflate-raw'));
  const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
  const text = btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''));
  const url = new URL(location.href);
  url.hash = PREFIX.slice(1) + text.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
  return url.href;
}

/** The code in an address; null if it has none. Throws an Error of one sentence if it cannot be read. */
export async function codeIn(hash: string): Promise<string | null> {
  if (!hash.startsWith(PREFIX)) return null;
  try {
    const text = atob(hash.slice(PREFIX.length).replaceAll('-', '+').replaceAll('_', '/'));
    const bytes = Uint8Array.from(text, (character) => character.charCodeAt(0));
    return await unpack(new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate-raw')));
  } catch (error) {
    throw new Error('The code in this link cannot be read: the link may be cut.', { cause: error });
  }
}

async function unpack(stream: ReadableStream<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  const reader = stream.getReader();
  let code = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return code + decoder.decode();
    code += decoder.decode(value, { stream: true });
    if (code.length > LONGEST) throw new RangeError(`more than ${LONGEST} characters`);
  }
}
