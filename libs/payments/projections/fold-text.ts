/** Folds as JSON: a bigint is `{"$n":"12"}`, a map `{"$m":[[key,value],…]}`. Members that are undefined are left out. */
export function foldText(fold: object): string {
  return JSON.stringify(fold, (_, value) => {
    if (typeof value === 'bigint') return { $n: String(value) };
    return value instanceof Map ? { $m: [...value] } : value;
  });
}

export function readFold<Fold>(text: string): Fold {
  return JSON.parse(text, (_, value) => {
    if (typeof value !== 'object' || value === null) return value;
    if ('$n' in value) return BigInt(value.$n);
    return '$m' in value ? new Map(value.$m) : value;
  }) as Fold;
}
