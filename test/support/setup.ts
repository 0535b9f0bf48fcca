import { manualSeed } from '../../src/index.ts';

/* Before each test file: the files of a worker share modules, but what they draw must not depend on which of them ran before. */
manualSeed(0);
