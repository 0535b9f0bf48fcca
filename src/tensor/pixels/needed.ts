/** What `fromPixels`, `toTexture` and `toCanvas` say where they were not imported, so that pages without pictures are smaller. */
export const NEEDS_PIXELS =
  "is a part of its own, so that pages without pictures are small: import 'wavelight/pixels'";
