export { ladder, ladderTable, mayImport, rungOf } from './ladder.ts';
export { readSourceTree, repositoryRoot } from './read-tree.ts';
export { rules } from './rules.ts';
export {
  type Problem,
  type Rule,
  type SourceFile,
  type SourceTree,
  sourceTreeOf,
} from './source-tree.ts';
