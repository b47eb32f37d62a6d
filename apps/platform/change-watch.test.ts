import { systemClock } from '@annals/core';
import { afterEach, expect, it } from 'vitest';
import { ChangeWatch } from './change-watch.ts';
import { until } from './testing/until.ts';

let seen = 'first';
let looks = 0;
let watch: ChangeWatch;

function open(look: () => Promise<string>): ChangeWatch {
  watch = new ChangeWatch(async () => {
    looks += 1;
    return look();
  }, systemClock);
  looks = 0;
  return watch;
}
afterEach(() => watch.close());

const looked = (times: number) => until('looks', () => (looks >= times ? true : undefined));

it('calls every listener when what is seen has changed, and not before', async () => {
  seen = 'first';
  const calls: string[] = [];
  open(async () => seen);
  watch.listen(() => calls.push('one'));
  watch.listen(() => calls.push('other'));
  await looked(3);
  const before = calls.length;
  seen = 'second';
  await until('calls', () => (calls.length >= before + 2 ? true : undefined));
  await looked(looks + 2);
  expect(calls.slice(before)).toEqual(['one', 'other']);
});

it('what cannot be looked at is no change', async () => {
  let fails = false;
  let calls = 0;
  open(async () => {
    if (fails) throw new Error('away');
    return 'same';
  });
  watch.listen(() => {
    calls += 1;
  });
  await looked(2);
  const before = calls;
  fails = true;
  await looked(looks + 2);
  fails = false;
  await looked(looks + 2);
  expect(calls).toBe(before);
});

it('does not look while nobody listens, and looks again when somebody does', async () => {
  open(async () => 'same');
  const unlisten = watch.listen(() => undefined);
  await looked(2);
  unlisten();
  let before = -1;
  await until('rest', async () => {
    const rests = looks === before;
    before = looks;
    await systemClock.sleep(250);
    return rests || undefined;
  });
  watch.listen(() => undefined);
  await looked(looks + 2);
});
