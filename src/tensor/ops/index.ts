/** Every op by its name, one family per file. */
export * from './binary.ts';
export * from './conv.ts';
export * from './loss.ts';
export * from './matmul.ts';
export * from './movement.ts';
export * from './norm.ts';
export * from './parts.ts';
export * from './pool.ts';
export * from './random.ts';
export * from './reduce.ts';
export * from './reshape.ts';
export * from './select.ts';
export * from './softmax.ts';
export * from './unary.ts';
