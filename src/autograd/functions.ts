/** All functions of tensors, with the rules of what they are made of: rules record operations themselves, and cannot import this. */
import './rules.ts';

export * from './attention.ts';
export * from './einsum.ts';
export * from './images.ts';
export * from './nn.ts';
export * from './operations.ts';
