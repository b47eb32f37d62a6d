import { isTestCode, lineAt, type Problem, type Rule, type SourceFile } from '../source-tree.ts';
import { syntaxOf } from '../syntax.ts';

/** Files made by a tool: nobody writes sentences in them. */
const generated = new Set(['package-lock.json', 'LICENSE']);

/** Promises to come back later. Names of markers in `code spans` of Markdown are spoken of, not meant. */
const unfinished = /\b(?:TODO|FIXME|XXX|HACK)\b|\bfor now\b/gi;

function problemsIn(
  path: string,
  text: string,
  pattern: RegExp,
  message: (found: string) => string,
): Problem[] {
  return [...text.matchAll(pattern)].map((match) => ({
    path,
    line: lineAt(text, match.index),
    message: message(match[0].trim()),
  }));
}

export const nothingIsUnfinished: Rule = {
  name: 'nothing is left for later',
  check: (tree) => {
    const message = (found: string) => `"${found}": finish it, or file an issue`;
    return [...tree.files.values()].flatMap((file) => {
      if (generated.has(file.path)) return [];
      if (!file.path.endsWith('.ts')) {
        return problemsIn(file.path, proseOf(file), unfinished, message);
      }
      if (!tree.code.includes(file)) return [];
      return syntaxOf(file).comments.flatMap(({ name, line }) =>
        problemsIn(file.path, name, unfinished, message).map((one) => ({
          ...one,
          line: line + one.line - 1,
        })),
      );
    });
  },
};

/** Code spans become blanks of the same length, so that lines stay where they are. */
function proseOf({ path, text }: SourceFile): string {
  return path.endsWith('.md')
    ? text.replace(/`[^`\n]*`/g, (span) => ' '.repeat(span.length))
    : text;
}

/** Folders of the machine that somebody happened to work on. */
const machinePath = /(?<![\w.@)}~-])\/(?:work|home|root|tmp\/annals)\/[\w.-]+/g;

export const noMachinePaths: Rule = {
  name: 'no paths of one machine',
  check: (tree) =>
    [...tree.files.values()].flatMap((file) =>
      problemsIn(file.path, file.text, machinePath, (found) => `${found}: a path of one machine`),
    ),
};

/** Hosts that packages come from: where from is the machine's business, set up outside of the project. */
const registryHost =
  /\b(?:registry\.|www\.)?(?:npmjs|yarnpkg|crates|pypi|pythonhosted)\.(?:org|com|io)\b|\brepo1?\.maven(?:\.apache)?\.org\b|\bproxy\.golang\.org\b|\b(?:deb|security)\.debian\.org\b|https?:\/\/[^/\s"']*(?:registry|artifactory|nexus|mirror)[^/\s"']*/gi;

export const noRegistryHosts: Rule = {
  name: 'no host names of package registries',
  check: (tree) =>
    [...tree.files.values()].flatMap((file) =>
      problemsIn(file.path, file.text, registryHost, (found) => `${found}: a registry's host`),
    ),
};

/**
 * SQLite (3.47 and later) plans a query anew each time it runs when its LIMIT is a parameter, so that the plan fits the number:
 * that takes longer than most queries. In an expression the parameter is a number like any other.
 */
const boundLimit = /\bLIMIT \?(?! \+ 0)/g;

export const noBoundLimits: Rule = {
  name: 'no LIMIT that is a bare parameter',
  check: (tree) =>
    tree.code.flatMap(({ path, text }) =>
      isTestCode(path)
        ? []
        : problemsIn(
            path,
            text,
            boundLimit,
            (found) => `${found}: SQLite compiles the query anew for each run; write LIMIT ? + 0`,
          ),
    ),
};
