import { rungOf } from './ladder.ts';

/** One text file of the repository; `path` is relative to its root, with `/`. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
}

/** What the rules read of a package.json. */
export interface Manifest {
  readonly name?: string;
  readonly version?: string;
  readonly description?: string;
  readonly exports?: string | Readonly<Record<string, string>>;
  readonly bin?: string | Readonly<Record<string, string>>;
  readonly scripts?: Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

export interface Package {
  /** `libs/core`. */
  readonly folder: string;
  readonly rung: number | undefined;
  readonly manifest: Manifest;
  readonly files: readonly SourceFile[];
}

export interface SourceTree {
  readonly files: ReadonlyMap<string, SourceFile>;
  /** TypeScript outside `fixtures/` folders: what the rules of code look at. */
  readonly code: readonly SourceFile[];
  readonly rootManifest: Manifest;
  readonly packages: readonly Package[];
}

/** One breach of a rule, at a line (from 1) of a file. */
export interface Problem {
  readonly path: string;
  readonly line: number;
  readonly message: string;
}

/** A rule of the source. `check` is pure, so that each rule is tested with planted breaches. */
export interface Rule {
  readonly name: string;
  readonly check: (tree: SourceTree) => readonly Problem[];
}

const packageFolder = /^(?:apps|libs|tools)\/[^/]+(?=\/)/;

/** The folder of the package that `path` belongs to, or undefined outside of all packages. */
export function packageFolderOf(path: string): string | undefined {
  return packageFolder.exec(path)?.[0];
}

/** Tests, and what only tests import: contract suites and the `testing/` folders. */
export function isTestCode(path: string): boolean {
  return path.endsWith('.test.ts') || /\/(?:contract|testing)\//.test(path);
}

/** Puts files together into packages. Throws a SyntaxError that names a package.json that is no JSON. */
export function sourceTreeOf(files: readonly SourceFile[]): SourceTree {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const byFolder = Map.groupBy(files, (file) => packageFolderOf(file.path));
  const packages = [...byFolder.entries()]
    .filter((entry): entry is [string, SourceFile[]] => entry[0] !== undefined)
    .map(([folder, own]) => ({
      folder,
      rung: rungOf(folder),
      manifest: manifestAt(byPath, `${folder}/package.json`),
      files: own,
    }))
    .sort((a, b) => (a.folder < b.folder ? -1 : 1));
  return {
    files: byPath,
    code: files.filter((file) => file.path.endsWith('.ts') && !file.path.includes('/fixtures/')),
    rootManifest: manifestAt(byPath, 'package.json'),
    packages,
  };
}

function manifestAt(files: ReadonlyMap<string, SourceFile>, path: string): Manifest {
  const file = files.get(path);
  if (!file) return {};
  try {
    return JSON.parse(file.text) as Manifest;
  } catch (cause) {
    throw new SyntaxError(`${path} is no JSON`, { cause });
  }
}

/** The line (from 1) of the first place where `needle` stands in `file`, or 1. */
export function lineOf(file: SourceFile | undefined, needle: string): number {
  const at = file?.text.indexOf(needle) ?? -1;
  return at < 0 ? 1 : lineAt(file?.text ?? '', at);
}

/** The line (from 1) of the character at `offset`. */
export function lineAt(text: string, offset: number): number {
  let line = 1;
  for (let at = text.indexOf('\n'); at >= 0 && at < offset; at = text.indexOf('\n', at + 1)) {
    line += 1;
  }
  return line;
}
