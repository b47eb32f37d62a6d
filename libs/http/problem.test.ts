import { describe, expect, expectTypeOf, it } from 'vitest';
import { defineErrors, Problem } from './index.ts';
import { limits } from './limits.ts';
import { echo, problemJson } from './problem.ts';

const row = { status: 409, title: 'Conflict', detail: '{a} is not {b}', when: 'never' } as const;

describe('a table of errors', () => {
  const { problem } = defineErrors('test', {
    differs: row,
    plain: { status: 404, title: 'Gone', detail: 'It is gone.', when: 'never' },
  });

  it('fills its templates in', () => {
    expect(problem('differs', { a: 1, b: 'two' }).message).toBe('1 is not two');
    expect(problem('plain').message).toBe('It is gone.');
  });

  it('asks for exactly the parameters of the template', () => {
    // @ts-expect-error: b is missing
    problem('differs', { a: 1 });
    // @ts-expect-error: no such code
    expect(() => problem('other')).toThrow();
    expectTypeOf<Parameters<typeof problem<'differs'>>[1]>().toEqualTypeOf<{
      readonly a: string | number;
      readonly b: string | number;
    }>();
  });

  it('makes RFC 9457 members, and errors that can be thrown', () => {
    const made = problem('differs', { a: 1, b: 2 }, { members: { hint: 'x' } });
    expect(made).toBeInstanceOf(Problem);
    expect(JSON.parse(problemJson(made, 'r-1'))).toEqual({
      type: '/problems/differs',
      title: 'Conflict',
      status: 409,
      detail: '1 is not 2',
      code: 'differs',
      request_id: 'r-1',
      hint: 'x',
    });
  });

  it('repeats only so much of what a client sent', () => {
    const long = 'x'.repeat(5_000);
    expect(problem('differs', { a: long, b: 'b' }).message.length).toBeLessThan(200);
    expect(echo(long)).toHaveLength(limits.echoCharsMax + 1);
  });

  it('refuses codes and statuses that are none', () => {
    expect(() => defineErrors('test', { Bad_Code: row })).toThrow('kebab-case');
    expect(() => defineErrors('test', { fine: { ...row, status: 200 } })).toThrow('400 to 599');
  });
});
