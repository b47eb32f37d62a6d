import { readSourceTree } from './read-tree.ts';
import { rules } from './rules.ts';

/** Prints every problem of the source as `path:line: message`; exits with 1 when there is one. */
const tree = readSourceTree();
for (const rule of rules) {
  for (const { path, line, message } of rule.check(tree)) {
    process.stdout.write(`${path}:${line}: ${message} (${rule.name})\n`);
    process.exitCode = 1;
  }
}
