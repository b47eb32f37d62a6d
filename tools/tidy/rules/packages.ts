import { lineOf, type Manifest, type Problem, type Rule, type SourceTree } from '../source-tree.ts';

const exactVersion = /^\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?$/;

const dependencyKinds = [
  'dependencies',
  'devDependencies',
  'peerDependencies',
  'optionalDependencies',
] as const;

interface Pin {
  readonly path: string;
  readonly name: string;
  readonly version: string;
}

function pinsOf(tree: SourceTree): Pin[] {
  const manifests: (readonly [string, Manifest])[] = [
    ['package.json', tree.rootManifest],
    ...tree.packages.map((own) => [`${own.folder}/package.json`, own.manifest] as const),
  ];
  return manifests.flatMap(([path, manifest]) =>
    dependencyKinds.flatMap((kind) =>
      Object.entries(manifest[kind] ?? {}).map(([name, version]) => ({ path, name, version })),
    ),
  );
}

function problemAt(tree: SourceTree, { path, name }: Pin, message: string): Problem {
  return { path, line: lineOf(tree.files.get(path), `"${name}":`), message };
}

export const versionsAreExact: Rule = {
  name: 'versions are exact, and the same everywhere',
  check: (tree) => {
    const pins = pinsOf(tree);
    const own = new Map(tree.packages.map(({ manifest }) => [manifest.name, manifest.version]));
    const wanted = new Map<string, string>();
    for (const { name, version } of pins) {
      if (!wanted.has(name)) wanted.set(name, own.get(name) ?? version);
    }
    return pins.flatMap((pin) => {
      if (!exactVersion.test(pin.version)) {
        return [problemAt(tree, pin, `${pin.name} ${pin.version} is no exact version`)];
      }
      const elsewhere = wanted.get(pin.name);
      return pin.version === elsewhere
        ? []
        : [problemAt(tree, pin, `${pin.name} is ${pin.version} here and ${elsewhere} elsewhere`)];
    });
  },
};

export const packagesAreDescribed: Rule = {
  name: 'every package has its name, description, README and project.json',
  check: (tree) =>
    tree.packages.flatMap(({ folder, manifest }) => {
      const path = `${folder}/package.json`;
      const baseName = folder.slice(folder.indexOf('/') + 1);
      const missing = [
        manifest.name === `@annals/${baseName}` ? [] : [`the name is not @annals/${baseName}`],
        manifest.description ? [] : ['no description'],
        tree.files.has(`${folder}/README.md`) ? [] : ['no README.md'],
        projectProblem(tree, folder, baseName),
      ].flat();
      return missing.map((message) => ({ path, line: 1, message }));
    }),
};

function projectProblem(tree: SourceTree, folder: string, baseName: string): string[] {
  const file = tree.files.get(`${folder}/project.json`);
  if (!file) return ['no project.json'];
  const project = JSON.parse(file.text) as { name?: string; targets?: Record<string, unknown> };
  if (project.name !== baseName) return [`the name in project.json is not ${baseName}`];
  return project.targets && 'test' in project.targets ? [] : ['project.json has no test target'];
}

/** The example of a lib's README is code that a test of the lib reads from the README, or compares with it. */
export const readmeExamplesAreTested: Rule = {
  name: "the example in a lib's README is tested",
  check: (tree) =>
    tree.packages.flatMap(({ folder, files }) => {
      const readme = tree.files.get(`${folder}/README.md`);
      if (!readme || !folder.startsWith('libs/')) return [];
      const tested = files.some(
        (file) => file.path.endsWith('.test.ts') && file.text.includes('README.md'),
      );
      const problem = (message: string): Problem => ({ path: readme.path, line: 1, message });
      if (!/^```ts$/m.test(readme.text)) return [problem('no example in a ts block')];
      return tested ? [] : [problem('no test of the package names README.md')];
    }),
};
