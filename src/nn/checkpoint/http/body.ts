// The whole body of an answer.

import type { ReportProgress } from '../options.ts';
import { chunksOf, type HttpFile } from './request.ts';
import { isEncoded } from './version.ts';

/**
 * The whole body as a Blob, which browsers keep on disk if it is large. Throws a TransientError if the connection is cut, and the
 * signal's reason.
 */
export async function bodyOf(
  file: Pick<HttpFile, 'name' | 'signal'>,
  response: Response,
  report: ReportProgress,
): Promise<Blob> {
  const length = Number(response.headers.get('content-length') ?? NaN);
  // The length of a compressed body is not that of the file.
  const total = isEncoded(response) || !Number.isSafeInteger(length) || length <= 0 ? null : length;
  const chunks = chunksOf(file, response);
  let loaded = 0;
  const counted = new ReadableStream<Uint8Array>({
    pull: async (controller) => {
      const next = await chunks.next();
      if (next.done === true) return controller.close();
      loaded += next.value.length;
      report({ loaded, total: total !== null && loaded <= total ? total : null });
      controller.enqueue(next.value);
    },
    cancel: async () => {
      await chunks.return(undefined);
    },
  });
  return new Response(counted).blob();
}
