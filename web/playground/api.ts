// What code in the playground imports from 'playground'.

/** The picture beside the code, 256 x 256 pixels: draw on it by `getContext('2d')`, or by `tensor.toCanvas`. */
export let canvas = new OffscreenCanvas(256, 256);

/** For the playground itself: the canvas that the page shows. */
export function showOn(shown: OffscreenCanvas): void {
  canvas = shown;
}
