/** `promise`, or what `late` gives or throws when it takes longer than `msMax` milliseconds; it then goes on unheard. */
export async function within<Result, Late>(
  promise: Promise<Result>,
  msMax: number,
  late: () => Late,
): Promise<Result | Late> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<'late'>((resolve) => {
    timer = setTimeout(() => resolve('late'), Math.max(msMax, 0));
  });
  promise.catch(() => undefined);
  try {
    const first = await Promise.race([promise.then((result) => ({ result })), timeout]);
    return first === 'late' ? late() : first.result;
  } finally {
    clearTimeout(timer);
  }
}
