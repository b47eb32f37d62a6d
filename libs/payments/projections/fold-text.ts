/** Folds as JSON: a bigint is `{"$n":"12"}`, a map `{"$m":[[key,value],…]}`. Members that are undefined are left out. */
export function foldText(fold: object): string {
  return JSON.stringify(plain(fold));
}

export function readFold<Fold>(text: string): Fold {
  return revived(JSON.parse(text)) as Fold;
}

/** What JSON can say of a value. (A replacer and a reviver, called for every member, take several times as long.) */
function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return { $n: String(value) };
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(plain);
  if (value instanceof Map) return { $m: plain([...value]) };
  const said: { [member: string]: unknown } = {};
  for (const [member, one] of Object.entries(value)) said[member] = plain(one);
  return said;
}

/** The same the other way, in place: the value is nobody else's. */
function revived(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) {
    for (let n = 0; n < value.length; n += 1) value[n] = revived(value[n]);
    return value;
  }
  const said = value as { [member: string]: unknown };
  if ('$n' in said) return BigInt(said.$n as string);
  if ('$m' in said) return new Map(revived(said.$m) as [unknown, unknown][]);
  for (const member in said) {
    const one = said[member];
    if (typeof one === 'object') said[member] = revived(one);
  }
  return said;
}
