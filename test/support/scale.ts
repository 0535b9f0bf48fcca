/** True under `npm run test:all`, where tests run at full size and in all ways, which takes hours on SwiftShader. */
export const FULL = process.env['WAVELIGHT_TEST_ALL'] === '1';

/** Ends the title of a test that only full size runs. */
export const FULL_ONLY = FULL ? '' : ' (skipped: npm run test:all runs it)';
