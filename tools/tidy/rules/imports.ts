import { isBuiltin } from 'node:module';
import { posix } from 'node:path';
import { mayImport, rungOf } from '../ladder.ts';
import {
  isTestCode,
  lineOf,
  type Package,
  type Problem,
  packageFolderOf,
  type Rule,
  type SourceFile,
  type SourceTree,
} from '../source-tree.ts';
import { type ImportFact, syntaxOf } from '../syntax.ts';

/** Every import of every file of code in `own`. */
function importsOf(tree: SourceTree, own: Package): (readonly [SourceFile, ImportFact])[] {
  return tree.code
    .filter((file) => packageFolderOf(file.path) === own.folder)
    .flatMap((file) => syntaxOf(file).imports.map((fact) => [file, fact] as const));
}

/** `@annals/core` of `@annals/core/x`, `zod` of `zod/v4`; undefined for relative and built-in modules. */
function packageNameOf(specifier: string): string | undefined {
  if (specifier.startsWith('.') || isBuiltin(specifier)) return undefined;
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}

function byName(tree: SourceTree): ReadonlyMap<string, Package> {
  return new Map(tree.packages.map((own) => [own.manifest.name ?? own.folder, own]));
}

/** Names of everything a package.json declares, of whatever kind. */
function declaredIn(own: Package): string[] {
  const { dependencies, devDependencies, peerDependencies, optionalDependencies } = own.manifest;
  return Object.keys({
    ...dependencies,
    ...devDependencies,
    ...peerDependencies,
    ...optionalDependencies,
  });
}

export const everyPackageHasARung: Rule = {
  name: 'every package has a rung on the ladder',
  check: (tree) =>
    tree.packages
      .filter((own) => own.rung === undefined)
      .map((own) => ({
        path: `${own.folder}/package.json`,
        line: 1,
        message: `${own.folder} is not on the ladder (tools/tidy/ladder.ts)`,
      })),
};

export const importsGoDownTheLadder: Rule = {
  name: 'imports go down the ladder',
  check: (tree) => {
    const packages = byName(tree);
    const refusal = (from: Package, name: string | undefined): string | undefined => {
      const to = packages.get(name ?? '');
      if (!to || to === from || mayImport(from.folder, to.folder)) return undefined;
      return `${from.folder} (rung ${rungText(from)}) imports ${to.folder} (rung ${rungText(to)})`;
    };
    return tree.packages.flatMap((own) => [
      ...importsOf(tree, own).flatMap(([file, fact]) => {
        const message = refusal(own, packageNameOf(fact.specifier));
        return message ? [{ path: file.path, line: fact.line, message }] : [];
      }),
      ...declaredIn(own).flatMap((name) => {
        const message = refusal(own, name);
        const path = `${own.folder}/package.json`;
        return message ? [{ path, line: lineOf(tree.files.get(path), `"${name}":`), message }] : [];
      }),
    ]);
  },
};

function rungText(own: Package): string {
  const rung = rungOf(own.folder);
  return rung === undefined ? 'none' : String(rung + 1);
}

export const packagesFormNoCircle: Rule = {
  name: 'packages form no circle',
  check: (tree) => {
    const packages = byName(tree);
    const problems: Problem[] = [];
    const done = new Set<Package>();
    const visit = (own: Package, above: readonly Package[]): void => {
      if (above.includes(own)) {
        const circle = [...above.slice(above.indexOf(own)), own].map((one) => one.folder);
        problems.push({
          path: `${own.folder}/package.json`,
          line: 1,
          message: `dependencies go in a circle: ${circle.join(' → ')}`,
        });
        return;
      }
      if (done.has(own)) return;
      for (const name of declaredIn(own)) {
        const dependency = packages.get(name);
        if (dependency) visit(dependency, [...above, own]);
      }
      done.add(own);
    };
    for (const own of tree.packages) visit(own, []);
    return problems;
  },
};

export const importsAreDeclared: Rule = {
  name: 'imports are declared in the package.json',
  check: (tree) =>
    tree.packages.flatMap((own) => {
      const forTests = new Set([
        ...declaredIn(own),
        ...Object.keys(tree.rootManifest.devDependencies ?? {}),
      ]);
      const forProduct = new Set(
        Object.keys({ ...own.manifest.dependencies, ...own.manifest.optionalDependencies }),
      );
      return importsOf(tree, own).flatMap(([file, fact]) => {
        const name = packageNameOf(fact.specifier);
        const declared = isTestCode(file.path) ? forTests : forProduct;
        if (name === undefined || declared.has(name)) return [];
        const message = `${name} is imported but not declared in ${own.folder}/package.json`;
        return [{ path: file.path, line: fact.line, message }];
      });
    }),
};

/** An optional dependency may be there for its effect alone; all others are imported somewhere. */
export const declaredIsImported: Rule = {
  name: 'what a package.json declares is imported',
  check: (tree) =>
    tree.packages.flatMap((own) => {
      const imports = importsOf(tree, own);
      const used = new Set(imports.map(([, fact]) => packageNameOf(fact.specifier)));
      const usedByProduct = new Set(
        imports
          .filter(([file]) => !isTestCode(file.path))
          .map(([, fact]) => packageNameOf(fact.specifier)),
      );
      const path = `${own.folder}/package.json`;
      const problem = (name: string, message: string): Problem => ({
        path,
        line: lineOf(tree.files.get(path), `"${name}":`),
        message,
      });
      return [
        ...Object.keys(own.manifest.dependencies ?? {})
          .filter((name) => !usedByProduct.has(name))
          .map((name) =>
            problem(
              name,
              used.has(name)
                ? `${name} is imported by tests only: it belongs to devDependencies`
                : `${name} is declared but never imported`,
            ),
          ),
        ...Object.keys(own.manifest.devDependencies ?? {})
          .filter((name) => !used.has(name))
          .map((name) => problem(name, `${name} is declared but never imported`)),
      ];
    }),
};

export const noDeepImports: Rule = {
  name: 'no deep imports',
  check: (tree) => {
    const packages = byName(tree);
    const refusal = (own: Package, path: string, specifier: string): string | undefined => {
      if (specifier.startsWith('.')) {
        const target = posix.join(posix.dirname(path), specifier);
        return target.startsWith(`${own.folder}/`)
          ? undefined
          : `${specifier} leaves the package: import it by its name`;
      }
      const name = packageNameOf(specifier) ?? '';
      const exported = packages.get(name)?.manifest.exports;
      if (!packages.has(name) || specifier === name) return undefined;
      const subpath = `.${specifier.slice(name.length)}`;
      return typeof exported === 'object' && subpath in exported
        ? undefined
        : `${specifier} is no export of ${name}`;
    };
    return tree.packages.flatMap((own) =>
      importsOf(tree, own).flatMap(([file, fact]) => {
        const message = refusal(own, file.path, fact.specifier);
        return message ? [{ path: file.path, line: fact.line, message }] : [];
      }),
    );
  },
};
