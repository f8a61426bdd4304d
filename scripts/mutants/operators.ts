import { type Node, parseSync } from 'oxc-parser';

/** One small change of a source file, as a slip of its author could have made it. */
export interface Mutant {
  /** Path from the repository's root. */
  readonly file: string;
  /** 1-based. */
  readonly line: number;
  readonly start: number;
  readonly end: number;
  readonly original: string;
  readonly mutated: string;
  /** Its number, from 1, among equal ones on its line. */
  readonly nth: number;
}

/** A mutant's name, the same in later runs as long as its line is not edited. */
export const nameOf = ({ file, line, original, mutated, nth }: Mutant): string =>
  `${file}:${line} ${original} → ${mutated}${nth > 1 ? ` (${nth})` : ''}`;

type Edit = Pick<Mutant, 'start' | 'end' | 'mutated'>;
type Fields = Readonly<Record<string, unknown>>;

const SWAPS: Readonly<Record<string, string>> = {
  ...{ '+': '-', '-': '+', '*': '/', '/': '*', '%': '*', '**': '*' },
  ...{ '<': '<=', '<=': '<', '>': '>=', '>=': '>', '===': '!==', '!==': '===' },
  ...{ '&&': '||', '||': '&&', '+=': '-=', '-=': '+=', '*=': '/=', '/=': '*=' },
};
const CALLS: Readonly<Record<string, string>> = {
  ...{ max: 'min', min: 'max', floor: 'ceil', ceil: 'floor', some: 'every', every: 'some' },
  ...{ flatMap: 'map', find: 'findLast', findLast: 'find', add: 'sub', sub: 'add', mul: 'div' },
};

/** Text that only readers see, such as errors and labels; tests need not hold its wording. */
const SILENT_CALLS = /Error$|^(console|outOfMemory|describe|option|addHelpText)$/;
const SILENT_KEYS = new Set([
  'label',
  'what',
  'title',
  'description',
  'caption',
  'remedy',
  'message',
  'name',
]);

/** Every mutant of a file, in order. WGSL inside of template literals is mutated too. */
export function mutantsOf(file: string, text: string): Mutant[] {
  const { program, errors } = parseSync(file, text);
  if (errors.length) throw new Error(`${file}: ${errors[0]!.message}`);
  const edits: Edit[] = [];
  visit(program, (node) => edits.push(...editsOf(node as unknown as Fields, text)));
  const lines = [...text.matchAll(/\n/g)].map(({ index }) => index);
  const alike = new Map<string, number>();
  return edits
    .sort((a, b) => a.start - b.start || a.mutated.localeCompare(b.mutated))
    .map(({ start, end, mutated }) => {
      const mutant = {
        ...{ file, line: lines.findLastIndex((at) => at < start) + 2, nth: 1 },
        ...{ start, end, mutated, original: text.slice(start, end) },
      };
      const nth = (alike.get(nameOf(mutant)) ?? 0) + 1;
      alike.set(nameOf(mutant), nth);
      return { ...mutant, nth };
    });
}

function visit(node: Node, found: (node: Node) => void): void {
  if (isSilent(node as unknown as Fields)) return;
  found(node);
  for (const child of Object.values(node).flat()) {
    if (typeof child === 'object' && child !== null && typeof child.type === 'string') visit(child, found);
  }
}

function isSilent(node: Fields): boolean {
  const { type } = node;
  if (typeof type === 'string' && /^(TS(?!As|NonNull|Satisfies)|Import|ExportAll)/.test(type)) return true;
  if (type === 'CallExpression' || type === 'NewExpression') return SILENT_CALLS.test(calleeOf(node));
  return type === 'Property' && SILENT_KEYS.has((node.key as Fields).name as string);
}

function calleeOf({ callee }: Fields): string {
  const { type, name, object, property } = callee as Fields;
  if (type !== 'MemberExpression') return `${name}`;
  const of = (object as Fields).name;
  return of === 'console' ? of : `${(property as Fields).name}`;
}

/** The edits that belong to a node itself. */
function editsOf(node: Fields, text: string): Edit[] {
  const { type } = node;
  const { start, end } = node as { start: number; end: number };
  const whole = (mutated: string): Edit[] => [{ start, end, mutated }];
  const source = (x: unknown) => text.slice((x as Edit).start, (x as Edit).end);
  switch (type) {
    case 'BinaryExpression':
    case 'LogicalExpression':
    case 'AssignmentExpression': {
      const mutated = SWAPS[node.operator as string];
      if (!mutated) return [];
      const from = (node.left as Edit).end;
      const at = from + text.slice(from).indexOf(node.operator as string);
      return [{ start: at, end: at + (node.operator as string).length, mutated }];
    }
    case 'UnaryExpression':
      return node.operator === '-' || node.operator === '!' ? whole(source(node.argument)) : [];
    case 'ConditionalExpression':
      return whole(`${source(node.test)} ? ${source(node.alternate)} : ${source(node.consequent)}`);
    case 'IfStatement':
      return [{ ...(node.test as Edit), mutated: 'false' }].map(({ start, end, mutated }) => ({
        ...{ start, end, mutated },
      }));
    case 'Literal':
      return literal(node, whole);
    case 'CallExpression': {
      const { type: kind, property } = node.callee as Fields;
      const target = (kind === 'MemberExpression' ? property : node.callee) as Fields & Edit;
      const mutated = CALLS[target.name as string];
      return mutated && Object.hasOwn(CALLS, target.name as string)
        ? [{ start: target.start, end: target.end, mutated }]
        : [];
    }
    case 'ExpressionStatement':
      return (node.expression as Fields).type === 'CallExpression' ? whole(';') : [];
    case 'TemplateElement':
      return wgslEdits(source(node), start);
    default:
      return [];
  }
}

function literal({ value }: Fields, whole: (mutated: string) => Edit[]): Edit[] {
  if (typeof value === 'boolean') return whole(`${!value}`);
  if (typeof value !== 'number') return [];
  return whole(
    value === 0 ? '1' : value === 1 ? '2' : Number.isInteger(value) ? `${value + 1}` : `${2 * value}`,
  );
}

/** WGSL is told from prose by its operators and suffixes. */
function wgslEdits(part: string, offset: number): Edit[] {
  if (!/[;{}]|\bF\(|\d[uf]\b|select\(|\blet\b/.test(part)) return [];
  const found = part.matchAll(/ ([+\-*/<]|<=|>=|==|&&|\|\|) |\b(\d+)u\b|\b(max|min)\(/g);
  return [...found].flatMap(({ 0: all, 1: operator, 2: number, 3: call, index }) => {
    const start = offset + index + (operator ? 1 : 0);
    const swapped = operator === '==' ? '!=' : SWAPS[operator ?? ''];
    if (operator) return swapped ? [{ start, end: start + operator.length, mutated: swapped }] : [];
    if (number) return [{ start, end: start + all.length, mutated: `${Number(number) + 1}u` }];
    return [{ start, end: start + call!.length, mutated: CALLS[call!]! }];
  });
}
