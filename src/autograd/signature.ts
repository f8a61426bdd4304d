import type { DeviceArray, HostArray } from './array.ts';
import type { DType, Shape, Tensor, Typed } from './tensor.ts';

/** Shape and type of an argument to trace a function with: an array has both, too. */
export interface Spec {
  readonly shape: Shape;
  /** Default: f32. */
  readonly dtype?: DType;
}

/** Structures of specs for a function's arguments: `[2, 3]` is of f32, a scalar is `{ shape: [] }`. */
export type Specs = readonly unknown[];

type Any<T> = 0 extends 1 & T ? true : unknown extends T ? true : false;
type DTypeOf<S> = S extends { readonly dtype?: infer D }
  ? [Extract<D, DType>] extends [never]
    ? 'f32'
    : Extract<D, DType>
  : 'f32';

/** What a function is traced with where specs have this type. */
export type Traced<S> =
  Any<S> extends true
    ? // biome-ignore lint/suspicious/noExplicitAny: specs of unknown type stand for any argument
      any
    : S extends { readonly shape: Shape }
      ? Typed<DTypeOf<S>>
      : S extends readonly []
        ? []
        : S extends Shape
          ? Typed
          : S extends object
            ? { -readonly [K in keyof S]: Traced<S[K]> }
            : S;

/** The arguments that a function is traced with; the list of specs is itself no spec. */
export type TracedArgs<S extends Specs> = { -readonly [K in keyof S]: Traced<S[K]> };

/** `T` with every tensor replaced by an array of the same type of elements. */
interface Arrays<D extends DType> {
  host: HostArray<D>;
  device: DeviceArray<D>;
  /** What a program can run on. */
  given: DeviceArray | ArrayLike<number> | number;
}
export type As<T, A extends keyof Arrays<DType>> =
  Any<T> extends true
    ? // biome-ignore lint/suspicious/noExplicitAny: of a function that TypeScript knows nothing of
      any
    : T extends Tensor
      ? Arrays<T['dtype']>[A]
      : T extends object
        ? { readonly [K in keyof T]: As<T[K], A> }
        : T;

/** What a program runs on in place of its function's arguments. */
export type GivenArgs<A extends readonly unknown[]> = { readonly [K in keyof A]: As<A[K], 'given'> };
