import { ladderTable } from '../ladder.ts';
import { lineOf, type Rule } from '../source-tree.ts';

const page = 'ARCHITECTURE.md';

export const ladderIsDocumented: Rule = {
  name: 'ARCHITECTURE.md shows the ladder',
  check: (tree) => {
    const file = tree.files.get(page);
    if (file?.text.includes(`\n\n${ladderTable()}\n\n`)) return [];
    const message = `the table of the ladder is not the one of tools/tidy/ladder.ts:\n${ladderTable()}`;
    return [{ path: page, line: lineOf(file, '| rung |'), message }];
  },
};
