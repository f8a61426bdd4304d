const name = '[A-Za-z_][\\w.:-]*';
const attribute = new RegExp(`\\s+(${name})=(?:"([^"<]*)"|'([^'<]*)')`, 'y');
const open = new RegExp(`<(${name})`, 'y');
const close = new RegExp(`</(${name})\\s*>`, 'y');

/** Element names of well-formed XML with one root; throws at anything else, as a strict parser would. */
export function elements(xml: string): string[] {
  const names: string[] = [];
  const stack: string[] = [];
  let at = 0;
  const fail = (why: string): never => {
    throw new Error(`${why} at ${at}: ${xml.slice(at, at + 60)}`);
  };
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const match = pattern.exec(xml);
    if (match) at = pattern.lastIndex;
    return match;
  };
  const checkEntities = (text: string) => {
    if (/&(?!(amp|lt|gt|quot|apos|#\d+|#x[\dA-Fa-f]+);)/.test(text)) fail('unknown entity');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what XML forbids
    if (/[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/.test(text)) fail('forbidden character');
  };
  while (at < xml.length) {
    const closing = take(close);
    const opening = closing ? null : take(open);
    if (closing) {
      if (stack.pop() !== closing[1]) fail(`unexpected </${closing[1]}>`);
    } else if (opening) {
      if (stack.length === 0 && names.length > 0) fail('second root');
      names.push(opening[1]!);
      stack.push(opening[1]!);
      const seen = new Set<string>();
      for (let a = take(attribute); a; a = take(attribute)) {
        if (seen.has(a[1]!)) fail(`attribute ${a[1]} twice`);
        seen.add(a[1]!);
        checkEntities(a[2] ?? a[3] ?? '');
      }
      const end = take(/\s*(\/?)>/y) ?? fail('bad tag');
      if (end[1]) stack.pop();
    } else {
      const text = take(/[^<]+/y) ?? fail('stray <');
      checkEntities(text[0]);
      if (stack.length === 0) fail('text outside of the root');
    }
  }
  if (stack.length > 0) fail(`<${stack.at(-1)}> left open`);
  return names;
}
