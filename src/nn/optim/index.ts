/** Optimisers and learning rates, as `optim` of the engine: `import { optim } from 'wavelight'`. */
export { Adam, AdamW, type AdamOptions } from './adam.ts';
export { Sgd as SGD, type SgdOptions } from './sgd.ts';
export type { Optimizer } from './optimizer.ts';
export {
  constant,
  cosine,
  cosineWarmRestarts,
  stepDecay,
  type CosineOptions,
  type Schedule,
  type StepDecayOptions,
  type WarmRestartOptions,
} from '../schedule.ts';
