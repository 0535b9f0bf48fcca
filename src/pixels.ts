/** Pictures into tensors and out again, as `wavelight/pixels`: with it `device.fromPixels`, `tensor.toTexture` and `tensor.toCanvas` work. */
import './tensor/methods.ts';
import './tensor/pixels/methods.ts';
