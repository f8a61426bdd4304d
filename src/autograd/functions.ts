/** All functions of tensors. Imports the rules they need, which record operations and cannot import this. */
import './rules.ts';

export * from './attention.ts';
export * from './einsum.ts';
export * from './images.ts';
export * from './nn.ts';
export * from './operations.ts';
