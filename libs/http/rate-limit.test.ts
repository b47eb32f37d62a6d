import { describe, expect, it } from 'vitest';
import { limits } from './limits.ts';
import { addressSubject, RateLimiter } from './rate-limit.ts';

describe('the rate limiter', () => {
  it('lets through the limit, then says when to come back', () => {
    let now = 1_000;
    const limiter = new RateLimiter({ now: () => now }, 10_000);
    for (let i = 0; i < 3; i += 1) expect(limiter.take('a', 3)).toBeUndefined();
    now = 4_500;
    expect(limiter.take('a', 3)).toMatchObject({
      status: 429,
      code: 'rate-limited',
      headers: { 'retry-after': '7' },
    });
    expect(limiter.take('b', 3)).toBeUndefined();
    now = 11_000;
    expect(limiter.take('a', 3)).toBeUndefined();
  });

  it('does not lock anyone out when the clock is set back', () => {
    let now = 1_000_000;
    const limiter = new RateLimiter({ now: () => now }, 10_000);
    limiter.take('a', 1);
    expect(limiter.take('a', 1)).toBeDefined();
    now = 5;
    expect(limiter.take('a', 1)).toBeUndefined();
  });

  it('counts all newcomers as one when there are too many to count', () => {
    const limiter = new RateLimiter({ now: () => 0 }, 10_000);
    for (let i = 0; i < limits.rateSubjectsMax; i += 1) limiter.take(`s${i}`, 10);
    expect(limiter.take('new 1', 1)).toBeUndefined();
    expect(limiter.take('new 2', 1)).toBeDefined();
    expect(limiter.take('s1', 10)).toBeUndefined();
  });

  it.each([
    ['10.1.2.3', '10.1.2.3'],
    ['::ffff:10.1.2.3', '10.1.2.3'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['2001:db8:1::2:3', '2001:db8:1:0::/64'],
    ['::1', '0:0:0:0::/64'],
  ])('counts %s as %s', (address, subject) => {
    expect(addressSubject(address)).toBe(subject);
  });
});
