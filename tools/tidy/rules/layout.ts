import { posix } from 'node:path';
import {
  isTestCode,
  type Package,
  type Problem,
  type Rule,
  type SourceTree,
} from '../source-tree.ts';
import { syntaxOf } from '../syntax.ts';

/** File and folder names that say nothing about what is inside. */
const emptyWords = new Set([
  'util',
  'utils',
  'helper',
  'helpers',
  'manager',
  'managers',
  'common',
  'misc',
]);

export const namesSayWhatItIs: Rule = {
  name: 'names of files and folders say what is inside',
  check: (tree) => {
    const named = [...tree.files.keys()].map((path) => {
      const word = path.split(/[/._-]/).find((part) => emptyWords.has(part.toLowerCase()));
      return { path, word };
    });
    return named
      .filter(({ word }) => word !== undefined)
      .map(({ path, word }) => ({
        path,
        line: 1,
        message: `"${word}" does not say what is inside`,
      }));
  },
};

export const testsStandBesideTheSource: Rule = {
  name: 'tests stand beside the source',
  check: (tree) => {
    const sourceFolders = new Set(
      tree.code.filter((file) => !isTestCode(file.path)).map((file) => posix.dirname(file.path)),
    );
    return tree.code
      .filter(
        (file) => file.path.endsWith('.test.ts') && !/\/(?:contract|testing)\//.test(file.path),
      )
      .filter((file) => !sourceFolders.has(posix.dirname(file.path)))
      .map((file) => ({
        path: file.path,
        line: 1,
        message: 'a test in a folder without source: put it beside what it tests',
      }));
  },
};

export const oneIndexPerPackage: Rule = {
  name: 'an index.ts only where a package exports it',
  check: (tree) => {
    const exported = new Set(exportedFiles(tree));
    const nested = tree.code
      .filter((file) => file.path.endsWith('/index.ts') && file.path.split('/').length !== 3)
      .filter((file) => !exported.has(file.path))
      .map((file) => ({
        path: file.path,
        line: 1,
        message: 'a barrel: only the top of a package and what it exports has an index.ts',
      }));
    const without = tree.packages
      .filter((own) => own.folder.startsWith('libs/') && !tree.files.has(`${own.folder}/index.ts`))
      .map((own) => ({
        path: `${own.folder}/package.json`,
        line: 1,
        message: 'a lib without index.ts',
      }));
    return [...nested, ...without];
  },
};

/** The files that something outside of the code names: exports, bins, scripts, the CI, Docker, and the tests. */
function rootsOf(tree: SourceTree): string[] {
  const naming = [...tree.files.values()].filter((file) =>
    /(?:^|\/)(?:package\.json|project\.json|Dockerfile)$|^\.ci\/run$/.test(file.path),
  );
  const named = naming.flatMap((file) => file.text.match(/[\w./@-]+\.ts\b/g) ?? []);
  const tests = tree.code.filter((file) => file.path.endsWith('.test.ts')).map((file) => file.path);
  return [
    ...exportedFiles(tree),
    ...named.map((path) => posix.normalize(path)),
    ...tests,
    'vitest.config.ts',
  ];
}

function exportedFiles(tree: SourceTree): string[] {
  return tree.packages.flatMap((own) =>
    entriesOf(own).map((entry) => posix.join(own.folder, entry)),
  );
}

function entriesOf({ manifest: { exports, bin } }: Package): string[] {
  return [exports ?? {}, bin ?? {}].flatMap((entry) =>
    typeof entry === 'string' ? [entry] : Object.values(entry),
  );
}

export const entriesExist: Rule = {
  name: 'what a package.json exports is there',
  check: (tree) =>
    tree.packages.flatMap((own) =>
      entriesOf(own)
        .filter((entry) => !tree.files.has(posix.join(own.folder, entry)))
        .map((entry) => ({
          path: `${own.folder}/package.json`,
          line: 1,
          message: `${entry} is exported but not there`,
        })),
    ),
};

/** A file is alive when a root leads to it by imports, or by a string that names it (a worker, a child process). */
export const noDeadFiles: Rule = {
  name: 'no dead files',
  check: (tree) => {
    const alive = new Set<string>();
    const code = new Map(tree.code.map((file) => [file.path, file]));
    const visit = (path: string): void => {
      const file = code.get(path);
      if (!file || alive.has(path)) return;
      alive.add(path);
      const { imports, strings } = syntaxOf(file);
      const names = [
        ...imports.map(({ specifier }) => specifier),
        ...strings.map(({ name }) => name),
      ];
      for (const name of names.filter((one) => one.endsWith('.ts'))) {
        visit(posix.join(posix.dirname(path), name));
      }
    };
    for (const root of rootsOf(tree)) visit(root);
    return tree.code
      .filter((file) => !alive.has(file.path))
      .map(
        (file): Problem => ({ path: file.path, line: 1, message: 'nothing leads to this file' }),
      );
  },
};
