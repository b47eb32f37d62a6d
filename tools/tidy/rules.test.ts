import { describe, expect, it } from 'vitest';
import { ladderTable } from './ladder.ts';
import { readSourceTree } from './read-tree.ts';
import { rules } from './rules.ts';
import { type SourceFile, sourceTreeOf } from './source-tree.ts';

/**
 * A small repository that keeps every rule. Each planted breach below lays files over it, and names
 * the problems that the rule must then find, as `path:line`.
 */
const clean: Readonly<Record<string, string>> = {
  'package.json': json({ devDependencies: { vitest: '1.0.0' } }),
  'ARCHITECTURE.md': `# The ladder\n\n${ladderTable()}\n\nThe end.\n`,
  'README.md': '<!-- test -->\n```sh\ntrue\n```\n',
  'vitest.config.ts': 'export default {};\n',
  ...packageFiles('libs/core', { dependencies: { uuid: '1.0.0' } }),
  'libs/core/index.ts': "import { v7 } from 'uuid';\nexport const newId = () => v7();\n",
  'libs/core/README.md': '# core\n```ts\nnewId();\n```\n',
  'libs/core/example.test.ts': "import { it } from 'vitest';\nit('README.md', () => {});\n",
  ...packageFiles('libs/leaderboard', { dependencies: { '@annals/core': '0.1.0' } }),
  'libs/leaderboard/index.ts': "export * from './decide.ts';\n",
  'libs/leaderboard/decide.ts':
    "import { type JsonValue } from '@annals/core';\nexport type Score = JsonValue;\n",
  'libs/leaderboard/service.ts':
    "import { newId } from '@annals/core';\nexport const id = newId();\n",
  'libs/leaderboard/service.test.ts': "import './service.ts';\n// README.md\n",
  'libs/leaderboard/README.md': '# leaderboard\n```ts\nid;\n```\n',
  ...packageFiles('apps/platform', { dependencies: { '@annals/leaderboard': '0.1.0' } }),
  'apps/platform/index.ts': "import '@annals/leaderboard';\nexport {};\n",
};

function packageFiles(folder: string, manifest: object): Record<string, string> {
  const name = folder.slice(folder.indexOf('/') + 1);
  return {
    [`${folder}/package.json`]: json({
      name: `@annals/${name}`,
      version: '0.1.0',
      description: 'A package.',
      exports: './index.ts',
      ...manifest,
    }),
    [`${folder}/project.json`]: json({ name, targets: { test: {} } }),
    [`${folder}/README.md`]: `# ${name}\n`,
  };
}

function json(value: object): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

function core(manifest: object): string {
  return json({
    name: '@annals/core',
    version: '0.1.0',
    description: 'A package.',
    exports: './index.ts',
    dependencies: { uuid: '1.0.0' },
    ...manifest,
  });
}

function leaderboard(manifest: object): string {
  return json({
    name: '@annals/leaderboard',
    version: '0.1.0',
    description: 'A package.',
    exports: './index.ts',
    dependencies: { '@annals/core': '0.1.0' },
    ...manifest,
  });
}

function treeWith(files: Readonly<Record<string, string | undefined>>) {
  const all = Object.entries({ ...clean, ...files });
  return sourceTreeOf(
    all.flatMap(([path, text]): SourceFile[] => (text === undefined ? [] : [{ path, text }])),
  );
}

interface Planted {
  readonly rule: string;
  readonly breach: string;
  /** What is laid over the clean repository; undefined takes a file away. */
  readonly files: Readonly<Record<string, string | undefined>>;
  readonly found: readonly string[];
}

const longFunction = `export function long() {\n${'  void 0;\n'.repeat(69)}}\n`;
const machineFolder = ['', 'home', 'ann', 'annals'].join('/');
const host = ['registry', 'npmjs', 'org'].join('.');

const planted: readonly Planted[] = [
  {
    rule: 'every package has a rung on the ladder',
    breach: 'a lib nobody placed',
    files: packageFiles('libs/weather', {}),
    found: ['libs/weather/package.json:1'],
  },
  {
    rule: 'imports go down the ladder',
    breach: 'a lib imports a higher one',
    files: { 'libs/core/index.ts': "export type X = 1;\nexport * from '@annals/leaderboard';\n" },
    found: ['libs/core/index.ts:2'],
  },
  {
    rule: 'imports go down the ladder',
    breach: 'a lib imports a higher one by import() and as a type',
    files: {
      'libs/core/index.ts':
        "export const a = () => import('@annals/leaderboard');\nexport type B = import('@annals/platform').B;\n",
    },
    found: ['libs/core/index.ts:1', 'libs/core/index.ts:2'],
  },
  {
    rule: 'imports go down the ladder',
    breach: 'a product lib imports another one, on the same rung',
    files: {
      ...packageFiles('libs/payments', { dependencies: { '@annals/leaderboard': '0.1.0' } }),
      'libs/payments/index.ts': "import '@annals/leaderboard';\n",
    },
    found: ['libs/payments/index.ts:1', 'libs/payments/package.json:7'],
  },
  {
    rule: 'imports go down the ladder',
    breach: 'a test climbs, too',
    files: { 'libs/core/example.test.ts': "import '@annals/leaderboard';\n" },
    found: ['libs/core/example.test.ts:1'],
  },
  {
    rule: 'packages form no circle',
    breach: 'two apps import each other',
    files: {
      ...packageFiles('apps/one', { dependencies: { '@annals/two': '0.1.0' } }),
      ...packageFiles('apps/two', { dependencies: { '@annals/one': '0.1.0' } }),
    },
    found: ['apps/one/package.json:1'],
  },
  {
    rule: 'imports are declared in the package.json',
    breach: 'a package that only the root declares, outside of tests',
    files: { 'libs/core/index.ts': "import 'vitest';\nimport 'node:fs';\nimport 'zod/v4';\n" },
    found: ['libs/core/index.ts:1', 'libs/core/index.ts:3'],
  },
  {
    rule: 'imports are declared in the package.json',
    breach: 'a test imports what nobody declares',
    files: { 'libs/core/example.test.ts': "import 'vitest';\nimport 'left-pad';\n" },
    found: ['libs/core/example.test.ts:2'],
  },
  {
    rule: 'what a package.json declares is imported',
    breach: 'one that nothing imports, one that only a test imports',
    files: {
      'libs/core/package.json': core({ dependencies: { uuid: '1.0.0', zod: '1.0.0' } }),
      'libs/core/index.ts': 'export {};\n',
      'libs/core/example.test.ts': "import 'uuid';\n",
    },
    found: ['libs/core/package.json:7', 'libs/core/package.json:8'],
  },
  {
    rule: 'no deep imports',
    breach: 'a file of another package, by name and by path',
    files: {
      'libs/leaderboard/service.ts':
        "import '@annals/core/ids.ts';\nimport '../core/index.ts';\nimport './decide.ts';\n",
    },
    found: ['libs/leaderboard/service.ts:1', 'libs/leaderboard/service.ts:2'],
  },
  {
    rule: 'no deep imports',
    breach: 'a subpath beside the one that is exported',
    files: {
      'libs/core/package.json': core({
        exports: { '.': './index.ts', './contract': './index.ts' },
      }),
      'libs/leaderboard/service.ts':
        "import '@annals/core/contract';\nimport '@annals/core/twin';\n",
    },
    found: ['libs/leaderboard/service.ts:2'],
  },
  {
    rule: 'no any',
    breach: 'any without a reason; the last one has one',
    files: {
      'libs/core/index.ts': [
        'export const a = (x: any) => x;',
        '// biome-ignore lint/suspicious/noExplicitAny:',
        'export type B = any[];',
        '// biome-ignore lint/suspicious/noExplicitAny: the type is invariant.',
        'export type C = any[];',
        '',
      ].join('\n'),
    },
    found: ['libs/core/index.ts:1', 'libs/core/index.ts:3'],
  },
  {
    rule: 'no silenced compiler',
    breach: 'a compiler told to look away',
    files: { 'libs/core/index.ts': '\n// @ts-ignore it is fine\nexport const a: string = 1;\n' },
    found: ['libs/core/index.ts:2'],
  },
  {
    rule: 'no default exports',
    breach: 'both ways to write one',
    files: {
      'libs/core/index.ts': 'const a = 1;\nexport { a as default };\n',
      'libs/leaderboard/decide.ts': 'export default 1;\n',
    },
    found: ['libs/core/index.ts:2', 'libs/leaderboard/decide.ts:1'],
  },
  {
    rule: 'no console in libs',
    breach: 'a lib prints; its test and an app may',
    files: {
      'libs/core/index.ts': 'export const say = () => console.log(1);\n',
      'libs/core/example.test.ts': 'console.log(1);\n',
      'apps/platform/index.ts': 'console.log(1);\n',
    },
    found: ['libs/core/index.ts:1'],
  },
  {
    rule: 'functions have at most 70 lines',
    breach: '71 lines, and a list of as many tests',
    files: {
      'libs/core/index.ts': longFunction,
      'libs/core/example.test.ts': `describe.each([1])('x', () => {\n${'  it();\n'.repeat(80)}});\n`,
      'libs/leaderboard/decide.ts': longFunction.replace('  void 0;\n', ''),
      'libs/leaderboard/service.ts': longFunction.replace('long', 'describeLong'),
    },
    found: ['libs/core/index.ts:1'],
  },
  {
    rule: 'no test left out',
    breach: 'only, skip and todo by hand; skipped for a reason is fine',
    files: {
      'libs/core/example.test.ts': [
        "it.only('a', () => {});",
        "describe.skip('b', () => {});",
        "it.todo('c');",
        "it.skipIf(true)('d', () => {});",
        // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the code of a planted test.
        'it.skip(`e (skipped: ${reason})`, () => {});',
        "describe.only.each([1])('f', () => {});",
        '',
      ].join('\n'),
    },
    found: [1, 2, 3, 6].map((line) => `libs/core/example.test.ts:${line}`),
  },
  {
    rule: 'decide.ts and state.ts are pure',
    breach: 'a clock, chance and I/O, in decide.ts and in what it loads',
    files: {
      'libs/leaderboard/decide.ts': [
        "import { newId } from '@annals/core';",
        "import { later } from './later.ts';",
        "import type { Service } from './service.ts';",
        'export const a = [Date.now(), new Date(), new Date(5), newId(), later];',
        '',
      ].join('\n'),
      'libs/leaderboard/later.ts':
        "import 'node:fs';\nexport const later = () => setTimeout(() => Math.random(), 1);\n",
      'libs/leaderboard/service.ts': 'export type Service = 1;\nDate.now();\n',
    },
    found: [
      'libs/leaderboard/decide.ts:1',
      'libs/leaderboard/decide.ts:4',
      'libs/leaderboard/decide.ts:4',
      'libs/leaderboard/later.ts:1',
      'libs/leaderboard/later.ts:2',
      'libs/leaderboard/later.ts:2',
    ],
  },
  {
    rule: 'names of files and folders say what is inside',
    breach: 'a file and a folder with an empty name',
    files: {
      'libs/core/string-utils.ts': '',
      'libs/core/common/a.ts': '',
      'libs/core/futile.ts': '',
    },
    found: ['libs/core/common/a.ts:1', 'libs/core/string-utils.ts:1'],
  },
  {
    rule: 'tests stand beside the source',
    breach: 'a folder of tests',
    files: { 'libs/core/test/ids.test.ts': "import '../index.ts';\n" },
    found: ['libs/core/test/ids.test.ts:1'],
  },
  {
    rule: 'an index.ts only where a package exports it',
    breach: 'a barrel inside, and a lib without an index.ts',
    files: { 'libs/core/contract/index.ts': '', 'libs/leaderboard/index.ts': undefined },
    found: ['libs/core/contract/index.ts:1', 'libs/leaderboard/package.json:1'],
  },
  {
    rule: 'what a package.json exports is there',
    breach: 'an export and a command without a file',
    files: {
      'libs/core/package.json': core({ exports: { './a': './a.ts' }, bin: { core: './bin.ts' } }),
    },
    found: ['libs/core/package.json:1', 'libs/core/package.json:1'],
  },
  {
    rule: 'no dead files',
    breach: 'a file nothing names; a worker and a child process are named by a string',
    files: {
      'libs/core/dead.ts': "import './index.ts';\n",
      'libs/core/index.ts':
        "new Worker(new URL('./worker.ts', import.meta.url));\njoin(import.meta.dirname, 'child.ts');\n",
      'libs/core/worker.ts': '',
      'libs/core/child.ts': '',
    },
    found: ['libs/core/dead.ts:1'],
  },
  {
    rule: 'versions are exact, and the same everywhere',
    breach: 'a range, another version than elsewhere, another than the package has',
    files: {
      'libs/core/package.json': core({
        dependencies: { uuid: '^1.0.0' },
        devDependencies: { vitest: '2.0.0' },
      }),
      'libs/leaderboard/package.json': leaderboard({ dependencies: { '@annals/core': '0.2.0' } }),
    },
    found: [
      'libs/core/package.json:10',
      'libs/core/package.json:7',
      'libs/leaderboard/package.json:7',
    ],
  },
  {
    rule: 'every package has its name, description, README and project.json',
    breach: 'a package without any of them',
    files: {
      'libs/core/package.json': json({ name: '@annals/kernel' }),
      'libs/core/README.md': undefined,
      'libs/core/project.json': undefined,
      'libs/leaderboard/project.json': json({ name: 'leaderboard', targets: {} }),
    },
    found: [
      ...Array.from({ length: 4 }, () => 'libs/core/package.json:1'),
      'libs/leaderboard/package.json:1',
    ],
  },
  {
    rule: "the example in a lib's README is tested",
    breach: 'no example, and an example that no test reads',
    files: {
      'libs/core/README.md': '# core\n',
      'libs/leaderboard/service.test.ts': "import './service.ts';\n",
    },
    found: ['libs/core/README.md:1', 'libs/leaderboard/README.md:1'],
  },
  {
    rule: 'nothing is left for later',
    breach: 'a marker in a comment, in a page and in a script; in a code span it is spoken of',
    files: {
      'libs/core/index.ts': "export const a = 'TODO';\n/*\n * TODO: more\n */\n",
      'docs/page.md': `Never write \`TODO\`.\nThis stays so for now.\n`,
      '.ci/run': '# FIXME\n',
    },
    found: ['.ci/run:1', 'docs/page.md:2', 'libs/core/index.ts:3'],
  },
  {
    rule: 'no paths of one machine',
    breach: 'a folder of somebody, in a text of the code and in a page',
    files: {
      'libs/core/index.ts': `\nexport const a = '${machineFolder}';\n`,
      'docs/page.md': `See ${machineFolder}, not docs${machineFolder}.\n`,
    },
    found: ['docs/page.md:1', 'libs/core/index.ts:2'],
  },
  {
    rule: 'no host names of package registries',
    breach: 'a lock file that says where it downloaded from',
    files: { 'package-lock.json': `{\n"resolved": "https://${host}/uuid"\n}\n` },
    found: ['package-lock.json:2'],
  },
  {
    rule: 'ARCHITECTURE.md shows the ladder',
    breach: 'a table of its own, and no page',
    files: { 'ARCHITECTURE.md': '# A\n\n| rung | packages |\n|---|---|\n| 1 | `libs/core` |\n' },
    found: ['ARCHITECTURE.md:3'],
  },
  {
    rule: 'the Dockerfile names what is there',
    breach: 'files that are not there, root, no health check, and files that the build never sees',
    files: {
      'infra/Dockerfile': [
        'FROM node:24-slim AS build',
        'COPY package.json gone.json ./',
        'COPY libs ./libs',
        'FROM node:24-slim',
        'COPY --from=build /srv ./',
        'CMD ["node", "apps/platform/main.ts"]',
        '',
      ].join('\n'),
      'infra/Dockerfile.dockerignore': 'node_modules\nlibs\n',
    },
    found: [
      'infra/Dockerfile:2',
      'infra/Dockerfile:3',
      'infra/Dockerfile:4',
      'infra/Dockerfile:4',
      'infra/Dockerfile:6',
    ],
  },
  {
    rule: 'no LIMIT that is a bare parameter',
    breach: 'a query that SQLite compiles anew for each run',
    files: {
      'libs/core/index.ts': "export const page = 'SELECT a FROM t\\n LIMIT ? OFFSET ?';\n",
      'libs/core/good.ts': "export const page = 'SELECT a FROM t LIMIT ? + 0 OFFSET ?';\n",
      'libs/core/some.test.ts': "export const page = 'SELECT a FROM t LIMIT ?';\n",
    },
    found: ['libs/core/index.ts:1'],
  },
  {
    rule: 'shell commands in the docs are run by a test, or say why not',
    breach: 'blocks without a comment, with one of another kind, and in another language',
    files: {
      'README.md': [
        '```sh\ntrue\n```',
        '<!-- test: moon -->\n```sh\ntrue\n```',
        '<!-- test -->\n```bash\ntrue\n```',
        '<!-- not run: it takes a day -->\n\n```sh\nsleep 86400\n```',
        '- a step\n\n  ```sh\n  true\n  ```',
      ].join('\n\n'),
    },
    found: ['README.md:1', 'README.md:6', 'README.md:11', 'README.md:23'],
  },
];

const byName = rules.map((rule) => [rule.name, rule] as const);

describe('the rules', () => {
  const ruleNamed = (name: string) => {
    const rule = rules.find((one) => one.name === name);
    if (!rule) throw new Error(`no rule is named "${name}"`);
    return rule;
  };

  it.each(planted.map((one) => [`${one.rule}: ${one.breach}`, one] as const))(
    'find a planted breach: %s',
    (_, { rule, files, found }) => {
      const problems = ruleNamed(rule).check(treeWith(files));
      expect(problems.map(({ path, line }) => `${path}:${line}`).sort()).toEqual([...found].sort());
      for (const { message } of problems) expect(message).not.toBe('');
    },
  );

  it.each(byName)('have a planted breach: %s', (name) => {
    expect(planted.map(({ rule }) => rule)).toContain(name);
  });

  it.each(byName)('find nothing in a clean tree: %s', (_, rule) => {
    expect(rule.check(treeWith({}))).toEqual([]);
  });

  it('name the place of what is no TypeScript', () => {
    const tree = treeWith({ 'libs/core/index.ts': 'export const a = 1;\nexport const = 2;\n' });
    expect(() => ruleNamed('no any').check(tree)).toThrow('libs/core/index.ts:2: ');
  });

  it('name the package.json that is no JSON', () => {
    expect(() => treeWith({ 'libs/core/package.json': '{' })).toThrow(
      'libs/core/package.json is no JSON',
    );
  });
});

describe('this repository', () => {
  const tree = readSourceTree();

  it('is read', () => {
    expect(tree.packages.length).toBeGreaterThan(10);
    expect(tree.code.length).toBeGreaterThan(20);
  });

  it.each(byName)('keeps the rule: %s', (_, rule) => {
    const problems = rule
      .check(tree)
      .map(({ path, line, message }) => `${path}:${line}: ${message}`);
    expect(problems).toEqual([]);
  });
});
