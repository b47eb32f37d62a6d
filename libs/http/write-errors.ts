import { existsSync, globSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { replaceSection } from './errors-document.ts';
import type { ErrorTable } from './problem.ts';

// Writes docs/errors.md from every table of errors: what `defineErrors` made and `<package>/errors.ts`
// exports. Run it after changing a table: npx node libs/http/write-errors.ts [FILE]

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const document = process.argv[2] ?? join(root, 'docs', 'errors.md');

const introduction = `# Errors

Every answer from status 400 is \`application/problem+json\` (RFC 9457): \`type\` (a path of the same
server that explains the code), \`title\`, \`status\`, \`detail\`, \`code\`, \`request_id\`, and for invalid
input \`errors\`, a list of \`{ in: 'body' | 'query' | 'params' | 'headers', field, message }\`. Programs
tell problems apart by \`code\`; the other texts are for people and may change.

This page is made from the tables in the source by \`npx node libs/http/write-errors.ts\`.
`;

function isTable(value: unknown): value is ErrorTable {
  return typeof value === 'object' && value !== null && 'rows' in value && 'name' in value;
}

const modules = globSync('{libs,apps}/*/errors.ts', { cwd: root }).toSorted((a, b) =>
  // This kit's errors are everybody's, and come first.
  a.startsWith('libs/http/') ? -1 : b.startsWith('libs/http/') ? 1 : a.localeCompare(b, 'en'),
);
let text = introduction;
for (const module of modules) {
  const exported: object = await import(pathToFileURL(join(root, module)).href);
  for (const table of Object.values(exported).filter(isTable)) text = replaceSection(text, table);
}
if (!existsSync(document) || readFileSync(document, 'utf8') !== text) {
  writeFileSync(document, text);
}
