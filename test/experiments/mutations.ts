/** Places in a value, as lists of keys; at most `most` members of each list. */
export function places(value: unknown, most = Number.POSITIVE_INFINITY): (string | number)[][] {
  if (typeof value !== 'object' || value === null) return [[]];
  const keys = Array.isArray(value) ? [...value.keys()].slice(0, most) : Object.keys(value);
  return [
    [],
    ...keys.flatMap((key) => places(value[key as keyof typeof value], most).map((rest) => [key, ...rest])),
  ];
}

/** The JSON text of a value with one place replaced by another text, or removed. */
export function textWith(
  value: unknown,
  path: readonly (string | number)[],
  text: string | undefined,
): string {
  const [key, ...rest] = path;
  if (key === undefined) return text ?? '';
  const parts = Object.entries(value as object).flatMap(([name, inner]) => {
    const own = name === `${key}` ? textWith(inner, rest, text) : JSON.stringify(inner);
    if (own === '') return [];
    return [Array.isArray(value) ? own : `${JSON.stringify(name)}:${own}`];
  });
  return Array.isArray(value) ? `[${parts}]` : `{${parts}}`;
}
