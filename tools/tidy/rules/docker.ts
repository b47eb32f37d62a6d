import {
  type Copy,
  DockerfileParser,
  type Instruction,
  type JSONInstruction,
} from 'dockerfile-ast';
import type { Problem, Rule, SourceFile, SourceTree } from '../source-tree.ts';

/**
 * What can be known of an image without building it: every file that it copies or starts is in the
 * repository and reaches the build, it does not run as root, and it can say whether it is well.
 */
export const dockerfilesNameWhatIsThere: Rule = {
  name: 'the Dockerfile names what is there',
  check: (tree) =>
    [...tree.files.values()]
      .filter((file) => /(?:^|\/)Dockerfile$/.test(file.path))
      .flatMap((file) => problemsOf(tree, file)),
};

function problemsOf(tree: SourceTree, file: SourceFile): Problem[] {
  const instructions = DockerfileParser.parse(file.text).getInstructions();
  const ignored = ignoredBy(tree.files.get(`${file.path}.dockerignore`));
  const lastStage = instructions.findLastIndex((one) => one.getKeyword() === 'FROM');
  const stage = instructions.slice(lastStage);
  const has = (keyword: string) => stage.some((one) => one.getKeyword() === keyword);
  const user = stage.findLast((one) => one.getKeyword() === 'USER')?.getArgumentsContent();
  const problem = (at: Instruction | undefined, message: string): Problem => ({
    path: file.path,
    line: (at?.getRange().start.line ?? 0) + 1,
    message,
  });
  return [
    ...instructions.flatMap((one) => [
      ...namedBy(one)
        .filter((path) => !isThere(tree, path))
        .map((path) => problem(one, `${path} is not in the repository`)),
      ...namedBy(one)
        .filter((path) => isThere(tree, path) && ignored.has(path))
        .map((path) => problem(one, `${path} is in ${file.path}.dockerignore`)),
    ]),
    ...(!user || user === 'root' || user === '0' ? [problem(stage[0], 'it runs as root')] : []),
    ...(has('HEALTHCHECK') ? [] : [problem(stage[0], 'it has no HEALTHCHECK')]),
  ];
}

/** The files and folders of the repository that an instruction names: what it copies, or what `node` starts. */
function namedBy(instruction: Instruction): string[] {
  const keyword = instruction.getKeyword();
  if (keyword === 'COPY') {
    if ((instruction as Copy).getFromFlag()) return [];
    return (instruction as Copy)
      .getArguments()
      .slice(0, -1)
      .map((argument) => argument.getValue());
  }
  if (keyword !== 'CMD' && keyword !== 'ENTRYPOINT') return [];
  return (instruction as JSONInstruction)
    .getJSONStrings()
    .map((argument) => argument.getJSONValue())
    .filter((word) => /\.[cm]?[jt]s$/.test(word));
}

function isThere(tree: SourceTree, path: string): boolean {
  return tree.files.has(path) || [...tree.files.keys()].some((one) => one.startsWith(`${path}/`));
}

/** Plain names only: what a pattern hides is not looked at. */
function ignoredBy(file: SourceFile | undefined): ReadonlySet<string> {
  return new Set((file?.text ?? '').split('\n').map((line) => line.trim()));
}
