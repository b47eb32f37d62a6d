import { describe, expect, it } from 'vitest';
import { parseLogUrl } from './log-url.ts';

describe('the URL of a log', () => {
  it('is a data folder', () => {
    const url = 'sqlite:./data';
    expect(parseLogUrl(url)).toEqual({ kind: 'sqlite', url, folder: './data' });
  });

  it('is a topic on some brokers', () => {
    expect(parseLogUrl('kafka://k1:9092,k2:9092/scores')).toMatchObject({
      kind: 'kafka',
      brokers: ['k1:9092', 'k2:9092'],
      topic: 'scores',
      tls: false,
      login: undefined,
      partitions: undefined,
    });
    expect(parseLogUrl('kafka://k1:9092')).toMatchObject({ topic: 'annals' });
    expect(parseLogUrl('kafka://localhost,k2:1,[::1]/a')).toMatchObject({
      brokers: ['localhost:9092', 'k2:1', '[::1]:9092'],
    });
    const all =
      'kafka://ann:p%40ss@k1:9092/t?partitions=8&replicas=3&min-in-sync=2&compression=gzip&bodies=2000000&tls=true&sasl=scram-sha-512';
    expect(parseLogUrl(all)).toMatchObject({
      login: { mechanism: 'scram-sha-512', username: 'ann', password: 'p@ss' },
      ...{ partitions: 8, replicationFactor: 3, minInSyncReplicas: 2 },
      ...{ compression: 'gzip', bodies: 2_000_000, tls: true },
    });
    expect(
      parseLogUrl('kafka://k1:9092/t?served=7,0-3,2&reads=linearizable&format=1'),
    ).toMatchObject({ served: [0, 1, 2, 3, 7], reads: 'linearizable', format: 1 });
    expect(parseLogUrl('kafka://ann:secret@k1:9092/t')).toMatchObject({
      login: { mechanism: 'plain' },
    });
  });

  it('is an EventStoreDB; what is ours is not told to its client', () => {
    expect(parseLogUrl('esdb://h:2113?tls=false&prefix=games-')).toMatchObject({
      kind: 'esdb',
      connection: 'esdb://h:2113?tls=false',
      prefix: 'games-',
    });
    expect(parseLogUrl('esdb://h?tlsCAFile=/a%20b/ca%2B.pem&prefix=g')).toMatchObject({
      connection: 'esdb://h?tlsCAFile=%2Fa%20b%2Fca%2B.pem',
    });
    const plain = 'esdb+discover://admin:changeit@h1:2113,h2:2113';
    expect(parseLogUrl(plain)).toMatchObject({ connection: plain, prefix: '' });
  });

  it.each([
    ['', 'is none of sqlite:FOLDER'],
    ['./data', 'is none of sqlite:FOLDER'],
    ['mysql://h:1/t', 'is none of sqlite:FOLDER'],
    ['sqlite:', 'is not sqlite:FOLDER'],
    ['sqlite://data', 'is not sqlite:FOLDER'],
    ['kafka://', 'is not kafka://'],
    ['kafka://h:0/t', 'has no host and port in "h:0"'],
    ['kafka://h:65536/t', 'has no host and port in "h:65536"'],
    ['kafka://h:1,/t', 'has no host and port in ""'],
    ['kafka://h:1/a b', 'has a topic with other characters'],
    ['kafka://h:1/a/b', 'has a topic with other characters'],
    ['kafka://h:1/t?partitons=3', 'knows no setting "partitons": is it partitions? There is'],
    ['kafka://h:1/t?partitions=0', 'has partitions=0, which is no number from 1 to'],
    ['kafka://h:1/t?partitions=8&partitions=9', 'has partitions twice'],
    ['kafka://h:1/t?bodies=0', 'has bodies=0, which is no number from 1 to'],
    ['kafka://h:1/t?served=', 'has served=, which is no list like 0-3,7'],
    ['kafka://h:1/t?served=3-1', 'has served=3-1, which is no list like 0-3,7'],
    ['kafka://h:1/t?served=0,x', 'has served=0,x, which is no list like 0-3,7'],
    [
      'kafka://h:1/t?partitions=4&served=0-4',
      'has served=0-4, which is no list like 0-3,7 of numbers up to 3',
    ],
    ['kafka://h:1/t?reads=fast', 'has reads=fast, which is none of replica, linearizable'],
    ['kafka://h:1/t?format=0', 'has format=0, which is no number from 1 to 255'],
    ['kafka://h:1/t?compression=zip', 'has compression=zip, which is none of none, gzip'],
    ['kafka://h:1/t?sasl=plain', 'has sasl, and no user and password'],
    ['kafka://ann@h:1/t', 'has a user without a password'],
    ['kafka://ann:%zz@h:1/t', 'has a % that is followed by no two hexadecimal digits'],
    ['esdb://', 'is not esdb://'],
    ['esdb://user@', 'is not esdb://'],
    ['esdb://user@h', 'has a user without a password'],
    ['esdb://h/games', 'has a path, and an EventStoreDB has none'],
    ['esdb://h:2113?throwOnAppendFailure=false', 'has throwOnAppendFailure=false'],
    ['esdb://h?prefx=a', 'knows no setting "prefx": is it prefix? There is prefix, tls,'],
    ['esdb://h?TLS=false', 'knows no setting "TLS": is it tls? There is'],
    ['esdb://h?tlsCaFile=/ca', 'knows no setting "tlsCaFile": is it tlsCAFile? There is'],
    ['esdb://h?tls=no', 'has tls=no, which is none of true, false'],
    ['esdb://h?prefix=a&prefix=b', 'has prefix twice'],
    ...['%24ce', '', 'a%20b', '-a', 'a'.repeat(65)].map((prefix) => [
      `esdb://h?prefix=${prefix}`,
      'has a prefix that is not a letter or digit',
    ]),
  ])('%s is refused', (url = '', problem) => {
    const parsed = parseLogUrl(url);
    expect(parsed).toMatchObject({ kind: 'bad-url' });
    expect(parsed).toHaveProperty('problem', expect.stringContaining(problem));
  });

  it('a refusal holds no password', () => {
    for (const url of ['kafka://ann:secret@h:x/t', 'kafka://ann:secret@h:1/t?x=1', 'secret']) {
      expect(JSON.stringify(parseLogUrl(url))).not.toContain('secret');
    }
  });
});
