import { marked, type Token } from 'marked';
import { lineAt, type Rule, type SourceFile } from './source-tree.ts';

/**
 * The shell commands of the documentation. A block of `sh` in a Markdown page stands right below
 * one of these comments, which says what becomes of it:
 *
 * - `<!-- test -->`: a test runs it, from the root of the repository.
 * - `<!-- test: platform -->`: the same, with a platform running that is the page's own.
 * - `<!-- not run: why -->`: nobody runs it, for the reason given.
 */
export interface CommandBlock {
  readonly path: string;
  readonly line: number;
  readonly commands: string;
  readonly run:
    | { readonly kind: 'test'; readonly needs: 'nothing' | 'platform' }
    | { readonly kind: 'not-run'; readonly reason: string }
    | { readonly kind: 'unmarked' };
}

const shellLanguages = new Set(['sh', 'bash', 'shell', 'console', 'zsh']);
const marker = /^<!--\s*(?:(test)(?:: (platform))?|not run: (\S.*?))\s*-->\s*$/;

/** All blocks of shell commands of one page, from top to bottom. */
export function commandBlocksOf(file: SourceFile): CommandBlock[] {
  const blocks: CommandBlock[] = [];
  let from = 0;
  const visit = (tokens: readonly Token[]): void => {
    let above = '';
    for (const token of tokens) {
      if (token.type === 'code' && shellLanguages.has(token.lang ?? '')) {
        // Inside a list the raw text lost its indentation, so only the first line is looked for.
        const firstLine = token.raw.split('\n', 1)[0] ?? '';
        const at = file.text.indexOf(firstLine, from);
        from = at + firstLine.length;
        blocks.push({
          path: file.path,
          line: lineAt(file.text, at),
          commands: token.text,
          run: token.lang === 'sh' ? runOf(above) : { kind: 'unmarked' },
        });
      }
      if (token.type !== 'space') above = token.type === 'html' ? token.raw : '';
      visit(childrenOf(token));
    }
  };
  visit(marked.lexer(file.text));
  return blocks;
}

function childrenOf(token: Token): readonly Token[] {
  if (token.type === 'list') return token.items;
  return 'tokens' in token && token.type !== 'paragraph' ? (token.tokens ?? []) : [];
}

function runOf(comment: string): CommandBlock['run'] {
  const [, test, platform, reason] = marker.exec(comment.trim()) ?? [];
  if (test) return { kind: 'test', needs: platform ? 'platform' : 'nothing' };
  return reason ? { kind: 'not-run', reason } : { kind: 'unmarked' };
}

export const docCommandsAreMarked: Rule = {
  name: 'shell commands in the docs are run by a test, or say why not',
  check: (tree) =>
    [...tree.files.values()]
      .filter((file) => file.path.endsWith('.md'))
      .flatMap(commandBlocksOf)
      .filter(({ run }) => run.kind === 'unmarked')
      .map(({ path, line }) => ({
        path,
        line,
        message:
          'put <!-- test -->, <!-- test: platform --> or <!-- not run: why --> above a block of sh',
      })),
};
