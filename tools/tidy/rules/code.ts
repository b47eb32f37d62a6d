import { posix } from 'node:path';
import {
  isTestCode,
  type Problem,
  type Rule,
  type SourceFile,
  type SourceTree,
} from '../source-tree.ts';
import { type Syntax, syntaxOf, type UseFact } from '../syntax.ts';

/** Lines from the first to the last of one function; a list of tests (`describe`) is no function here. */
export const functionLinesMax = 70;

type Find = (syntax: Syntax, file: SourceFile) => readonly UseFact[];

/** A rule about what stands in one file: each use that `find` names is a problem. */
function codeRule(name: string, find: Find, message: (use: UseFact) => string): Rule {
  return {
    name,
    check: (tree) =>
      tree.code.flatMap((file) =>
        find(syntaxOf(file), file).map((use) => ({
          path: file.path,
          line: use.line,
          message: message(use),
        })),
      ),
  };
}

/** `any` passes only below a suppression that gives its reason: both tools then agree on the place. */
export const noAny = codeRule(
  'no any',
  ({ anyTypes, comments }) => {
    const excused = new Set(
      comments
        .filter(({ name }) => /^\s*biome-ignore lint\/suspicious\/noExplicitAny: \S/.test(name))
        .map(({ line }) => line + 1),
    );
    return anyTypes.filter(({ line }) => !excused.has(line));
  },
  () => 'any: say what it is, or unknown',
);

export const noSilencedCompiler = codeRule(
  'no silenced compiler',
  ({ comments }) => comments.filter(({ name }) => /^\s*@ts-(?:ignore|nocheck)\b/.test(name)),
  ({ name }) => `${name.trim()}: mend the type; a test of a wrong call takes @ts-expect-error`,
);

export const noDefaultExports = codeRule(
  'no default exports',
  ({ defaultExports }, { path }) => (path === 'vitest.config.ts' ? [] : defaultExports),
  () => 'a default export has no name of its own: export it by name',
);

export const noConsoleInLibs = codeRule(
  'no console in libs',
  ({ members }, { path }) =>
    path.startsWith('libs/') && !isTestCode(path)
      ? members.filter(({ name }) => name.startsWith('console.'))
      : [],
  ({ name }) => `${name}: a lib reports through values, errors or a logger it is given`,
);

export const shortFunctions = codeRule(
  `functions have at most ${functionLinesMax} lines`,
  ({ functions }) =>
    functions
      .filter(({ describes, lines }) => !describes && lines > functionLinesMax)
      .map(({ line, lines }) => ({ name: String(lines), line })),
  ({ name }) => `a function of ${name} lines, more than ${functionLinesMax}`,
);

/**
 * A test left out by hand says nothing when it would fail. A skip whose name is put together at run
 * time (with the reason in it), or that hangs on a condition (`skipIf`), is another matter.
 */
export const noTestLeftOut = codeRule(
  'no test left out',
  ({ calls }, { path }) =>
    isTestCode(path)
      ? calls.filter(({ name, ofText }) => focused.test(name) || (ofText && leftOut.test(name)))
      : [],
  ({ name }) => `${name}: a test runs, or is skipped for a reason that it names`,
);

const focused = /^(?:it|test|describe)\.(?:.*\.)?only\b/;
const leftOut = /^(?:it|test|describe)\.(?:.*\.)?(?:skip|todo)$/;

const pureFile = /^libs\/[^/]+\/(?:.*\/)?(?:decide|state)\.ts$/;
const impureNames =
  /^(?:Date\.now|new Date|Math\.random|fetch|setTimeout|setInterval|setImmediate|queueMicrotask|(?:process|console|performance|crypto|globalThis)\..*)$/;
/** What `core` offers that reads the clock, draws an id or reads the environment. */
const impureOfCore = new Set(['systemClock', 'newId', 'configFrom', 'Clock']);

/** Decisions and states, with every file of their package that they load, know no clock, no ids, no I/O. */
export const decisionsArePure: Rule = {
  name: 'decide.ts and state.ts are pure',
  check: (tree) => {
    const seen = new Set<string>();
    const problems: Problem[] = [];
    const visit = (file: SourceFile): void => {
      if (seen.has(file.path)) return;
      seen.add(file.path);
      problems.push(...impuritiesOf(file));
      for (const next of loadedBy(tree, file)) visit(next);
    };
    for (const file of tree.code) if (pureFile.test(file.path)) visit(file);
    return problems;
  },
};

function loadedBy(tree: SourceTree, file: SourceFile): SourceFile[] {
  return syntaxOf(file)
    .imports.filter(({ specifier, typeOnly }) => !typeOnly && specifier.startsWith('.'))
    .map(({ specifier }) => tree.files.get(posix.join(posix.dirname(file.path), specifier)))
    .filter((next) => next !== undefined);
}

function impuritiesOf(file: SourceFile): Problem[] {
  const { imports, calls, members } = syntaxOf(file);
  const impureImports = imports
    .filter(
      ({ specifier, names }) =>
        specifier.startsWith('node:') ||
        (specifier === '@annals/core' && names.some((name) => impureOfCore.has(name))),
    )
    .map(({ specifier, line }) => ({ name: `an import of ${specifier}`, line }));
  const uses = [...calls, ...members].filter(({ name }) => impureNames.test(name));
  const byPlace = new Map(
    [...impureImports, ...uses].map((use) => [`${use.line} ${use.name}`, use]),
  );
  return [...byPlace.values()].map(({ name, line }) => ({
    path: file.path,
    line,
    message: `${name}: times, ids and randomness come in with the command`,
  }));
}
