import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readSourceTree, repositoryRoot } from './read-tree.ts';

/** Nx as somebody calls it on the command line: not as the task that may be running this very test. */
function nx(...args: string[]): string {
  const outside = Object.entries(process.env).filter(([name]) => !/^(?:NX_|VITEST)/.test(name));
  return execFileSync(join(repositoryRoot, 'node_modules', '.bin', 'nx'), args, {
    cwd: repositoryRoot,
    env: Object.fromEntries(outside),
    encoding: 'utf8',
  });
}

describe('the Nx workspace', () => {
  const { packages } = readSourceTree();
  const projectOf = (folder: string) => folder.slice(folder.indexOf('/') + 1);
  let folder = '';
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'annals-nx-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it('knows every dependency that a package.json declares', () => {
    const file = join(folder, 'graph.json');
    nx('graph', `--file=${file}`);
    const { graph } = JSON.parse(readFileSync(file, 'utf8')) as {
      graph: { dependencies: Record<string, { target: string; type: string }[]> };
    };
    for (const { folder: own, manifest } of packages) {
      const declared = Object.keys({ ...manifest.dependencies, ...manifest.devDependencies })
        .filter((name) => name.startsWith('@annals/'))
        .map((name) => name.slice('@annals/'.length));
      const edges = graph.dependencies[projectOf(own)] ?? [];
      const known = edges.filter(({ type }) => type === 'static').map(({ target }) => target);
      expect(known.sort(), own).toEqual(declared.sort());
    }
  });

  it('calls a package affected by a change in what it depends on, and no other', () => {
    const affected = (file: string) =>
      nx('show', 'projects', '--affected', `--files=${file}`).trim().split('\n').sort();
    expect(affected('libs/core/ids.ts')).toEqual(
      ['annals', ...packages.map((own) => projectOf(own.folder))].sort(),
    );
    expect(affected('tools/bench/main.ts')).toEqual(['annals', 'bench', 'tidy']);
    expect(affected('README.md')).toEqual(['annals', 'tidy']);
  });

  it('runs no script of npm as a task: the one named test would call itself', () => {
    const { targets } = JSON.parse(nx('show', 'project', 'annals', '--json')) as {
      targets: Record<string, unknown>;
    };
    expect(Object.keys(targets).sort()).toEqual(['lint', 'typecheck']);
  });

  it.skipIf(!existsSync('/proc/self/cwd'))('leaves no daemon behind', () => {
    nx('show', 'projects');
    expect(daemonsIn(repositoryRoot)).toEqual([]);
  });
});

/** The command lines of Nx daemons that work in `root`. */
function daemonsIn(root: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const command = readFileSync(join('/proc', pid, 'cmdline'), 'utf8').replaceAll('\0', ' ');
        const here = readlinkSync(join('/proc', pid, 'cwd')).startsWith(root);
        return here && /\/nx\/.*\/daemon\/server\//.test(command) ? [command] : [];
      } catch {
        // The process ended while it was looked at.
        return [];
      }
    });
}
