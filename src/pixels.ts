/**
 * Pictures into tensors and out again, as `wavelight/pixels`: with it `device.fromPixels`, `tensor.toTexture` and `tensor.toCanvas` work.
 * The import is all; it exports nothing.
 *
 * @module wavelight/pixels
 */
import './tensor/methods.ts';
import './tensor/pixels/methods.ts';
