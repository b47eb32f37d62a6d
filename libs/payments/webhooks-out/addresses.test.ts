import { describe, expect, it } from 'vitest';
import { isPublicAddress, webhookUrlProblem } from './addresses.ts';

describe('an address', () => {
  it.each(['93.184.216.34', '2606:2800:220:1::1', '::ffff:93.184.216.34'])(
    '%s is public',
    (address) => {
      expect(isPublicAddress(address)).toBe(true);
    },
  );

  it.each([
    ...['127.0.0.1', '10.1.2.3', '172.16.0.1', '192.168.1.1', '169.254.169.254', '100.64.0.1'],
    ...['0.0.0.0', '224.0.0.1', '255.255.255.255', '198.18.0.1', '192.0.2.1'],
    ...['::1', '::', 'fe80::1', 'fc00::1', 'ff02::1', '::ffff:127.0.0.1', '::ffff:10.0.0.1'],
    ...['64:ff9b::7f00:1', '2002:7f00:1::', 'no address'],
  ])('%s is not', (address) => {
    expect(isPublicAddress(address)).toBe(false);
  });
});

describe('the URL of an endpoint', () => {
  const problem = (url: string, allowPrivate = false) => webhookUrlProblem(url, { allowPrivate });

  it('is http or https on the public internet', () => {
    expect(problem('https://shop.example/hooks?from=annals')).toBeUndefined();
    expect(problem('http://93.184.216.34:8080/')).toBeUndefined();
  });

  it.each([
    ['', 'absolute'],
    ['/hooks', 'absolute'],
    ['https://shop.example/\n', 'ASCII'],
    ['https://shop.example/\ud800', 'ASCII'],
    ['https://bücher.example/', 'ASCII'],
    ['ftp://shop.example/', 'https or http'],
    ['file:///etc/passwd', 'https or http'],
    ['https://ann:secret@shop.example/', 'user name'],
    ['https://shop.example/#here', 'fragment'],
    [`https://shop.example/${'x'.repeat(2_048)}`, 'characters'],
    ['https://shop.example/4242424242424242', 'card number'],
    ['http://localhost/', 'public internet'],
    ['http://app.localhost/', 'public internet'],
    ['http://127.0.0.1/', 'public internet'],
    ['http://0x7f.1/', 'public internet'],
    ['http://2130706433/', 'public internet'],
    ['http://[::1]:9000/', 'public internet'],
    ['http://[::ffff:169.254.169.254]/', 'public internet'],
    ['http://169.254.169.254/latest/meta-data', 'public internet'],
  ])('is not %s', (url, why) => {
    expect(problem(url)).toContain(why);
  });

  it('may be private where a setting says so', () => {
    expect(problem('http://127.0.0.1:9000/', true)).toBeUndefined();
    expect(problem('gopher://127.0.0.1/', true)).toContain('https or http');
  });
});
