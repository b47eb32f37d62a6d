import type * as ESTree from 'oxc-parser';
import { parseSync, Visitor } from 'oxc-parser';
import { lineAt, type SourceFile } from './source-tree.ts';

export interface ImportFact {
  readonly specifier: string;
  readonly line: number;
  /** True when nothing is loaded at run time. */
  readonly typeOnly: boolean;
  /** The names taken from the module; empty for all of it (`import * as`, `export *`, `import()`). */
  readonly names: readonly string[];
}

export interface FunctionFact {
  readonly line: number;
  readonly lines: number;
  /** The body of a `describe`, or a function named `describe…`: a list of tests, not one piece of work. */
  readonly describes: boolean;
}

/** Something that a rule may refuse, named as it stands in the code: `console.log`, `any`. */
export interface UseFact {
  readonly name: string;
  readonly line: number;
}

export interface CallFact extends UseFact {
  /** Whether the first argument is a text as it stands: `it.skip('name')`. */
  readonly ofText: boolean;
}

export interface Syntax {
  readonly imports: readonly ImportFact[];
  readonly functions: readonly FunctionFact[];
  readonly anyTypes: readonly UseFact[];
  readonly defaultExports: readonly UseFact[];
  /** `object.member` of every plain member expression. */
  readonly members: readonly UseFact[];
  /** The names of what is called: `fetch`, `it.only`; and `new Date` when it has no arguments. */
  readonly calls: readonly CallFact[];
  readonly strings: readonly UseFact[];
  readonly comments: readonly UseFact[];
}

const parsed = new WeakMap<SourceFile, Syntax>();

/** The facts of one TypeScript file that the rules look at. Throws a SyntaxError that names the place. */
export function syntaxOf(file: SourceFile): Syntax {
  const known = parsed.get(file);
  if (known) return known;
  const result = parseSync(file.path, file.text, { sourceType: 'module' });
  const error = result.errors[0];
  if (error) {
    const line = lineAt(file.text, error.labels[0]?.start ?? 0);
    throw new SyntaxError(`${file.path}:${line}: ${error.message}`);
  }
  const syntax = {
    ...collect(file.text, result.program),
    comments: result.comments.map(({ value, start }) => ({
      name: value,
      line: lineAt(file.text, start),
    })),
  };
  parsed.set(file, syntax);
  return syntax;
}

type Collected = Omit<Syntax, 'comments'>;

function collect(text: string, program: ESTree.Program): Collected {
  const line = (node: ESTree.Span) => lineAt(text, node.start);
  const members: UseFact[] = [];
  const anyTypes: UseFact[] = [];
  const strings: UseFact[] = [];
  new Visitor({
    TSAnyKeyword: (node) => {
      anyTypes.push({ name: 'any', line: line(node) });
    },
    MemberExpression: (node) => {
      const name = nameOf(node);
      if (name) members.push({ name, line: line(node) });
    },
    Literal: (node) => {
      if (typeof node.value === 'string') strings.push({ name: node.value, line: line(node) });
    },
  }).visit(program);
  return {
    imports: collectImports(program, line),
    functions: collectFunctions(text, program),
    defaultExports: collectDefaultExports(program, line),
    calls: collectCalls(program, line),
    anyTypes,
    members,
    strings,
  };
}

type LineOf = (node: ESTree.Span) => number;

function collectImports(program: ESTree.Program, line: LineOf): ImportFact[] {
  const imports: ImportFact[] = [];
  const add = (
    source: ESTree.Expression | null,
    typeOnly: boolean,
    names: readonly string[] = [],
  ) => {
    if (source?.type !== 'Literal' || typeof source.value !== 'string') return;
    imports.push({ specifier: source.value, line: line(source), typeOnly, names });
  };
  new Visitor({
    ImportDeclaration: (node) => {
      const named = node.specifiers.filter((one) => one.type === 'ImportSpecifier');
      const onlyTypes =
        node.specifiers.length > 0 &&
        named.length === node.specifiers.length &&
        named.every((one) => one.importKind === 'type');
      const values = named.filter((one) => one.importKind !== 'type');
      add(
        node.source,
        node.importKind === 'type' || onlyTypes,
        values.map((one) => exportedName(one.imported)),
      );
    },
    ExportNamedDeclaration: (node) => {
      const onlyTypes =
        node.specifiers.length > 0 && node.specifiers.every((one) => one.exportKind === 'type');
      const values = node.specifiers.filter((one) => one.exportKind !== 'type');
      add(
        node.source,
        node.exportKind === 'type' || onlyTypes,
        values.map((one) => exportedName(one.local)),
      );
    },
    ExportAllDeclaration: (node) => add(node.source, node.exportKind === 'type'),
    ImportExpression: (node) => add(node.source, false),
    TSImportType: (node) => add(node.source, true),
  }).visit(program);
  return imports;
}

function collectDefaultExports(program: ESTree.Program, line: LineOf): UseFact[] {
  const found: UseFact[] = [];
  new Visitor({
    ExportDefaultDeclaration: (node) => {
      found.push({ name: 'default', line: line(node) });
    },
    ExportNamedDeclaration: (node) => {
      if (node.specifiers.some((one) => exportedName(one.exported) === 'default')) {
        found.push({ name: 'default', line: line(node) });
      }
    },
  }).visit(program);
  return found;
}

function collectCalls(program: ESTree.Program, line: LineOf): CallFact[] {
  const calls: CallFact[] = [];
  new Visitor({
    CallExpression: (node) => {
      const name = nameOf(node.callee);
      const first = node.arguments[0];
      const ofText = first?.type === 'Literal' && typeof first.value === 'string';
      if (name) calls.push({ name, line: line(node), ofText });
    },
    NewExpression: (node) => {
      const name = nameOf(node.callee);
      if (name && node.arguments.length === 0)
        calls.push({ name: `new ${name}`, line: line(node), ofText: false });
    },
  }).visit(program);
  return calls;
}

function collectFunctions(text: string, program: ESTree.Program): FunctionFact[] {
  const functions: FunctionFact[] = [];
  const describing = new Set<ESTree.Node>();
  const add = (node: ESTree.Function | ESTree.ArrowFunctionExpression) => {
    const line = lineAt(text, node.start);
    const named = node.type !== 'ArrowFunctionExpression' && isDescribe(node.id?.name ?? '');
    functions.push({
      line,
      lines: lineAt(text, node.end) - line + 1,
      describes: describing.has(node) || named,
    });
  };
  new Visitor({
    CallExpression: (node) => {
      if (isDescribe(rootName(node.callee))) for (const one of node.arguments) describing.add(one);
    },
    VariableDeclarator: (node) => {
      if (node.init && node.id.type === 'Identifier' && isDescribe(node.id.name)) {
        describing.add(node.init);
      }
    },
    FunctionDeclaration: add,
    FunctionExpression: add,
    ArrowFunctionExpression: add,
  }).visit(program);
  return functions;
}

function isDescribe(name: string): boolean {
  return /^describe(?:[A-Z]|$)/.test(name);
}

/** `describe` of `describe.skipIf(…)`, `describe.each(…)(…)`. */
function rootName(node: ESTree.Node): string {
  if (node.type === 'Identifier') return node.name;
  if (node.type === 'MemberExpression') return rootName(node.object);
  if (node.type === 'CallExpression') return rootName(node.callee);
  return '';
}

/** `fetch`, `console.log`, `it.skip.each`; undefined for what is no plain chain of names. */
function nameOf(node: ESTree.Node): string | undefined {
  if (node.type === 'Identifier') return node.name;
  if (node.type !== 'MemberExpression' || node.computed) return undefined;
  const object = nameOf(node.object);
  return object && node.property.type === 'Identifier'
    ? `${object}.${node.property.name}`
    : undefined;
}

function exportedName(node: ESTree.ModuleExportName): string {
  return node.type === 'Literal' ? node.value : node.name;
}
