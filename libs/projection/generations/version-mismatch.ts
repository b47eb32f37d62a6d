/** A generation and the code that meets it, where they have different versions. */
export interface VersionMismatch {
  readonly projection: string;
  /** Of the code that made the generation. */
  readonly version: number;
  /** Of this program's code. */
  readonly codeVersion: number;
}

/** What is wrong and what to do, for operators: a rebuild by the older program would be a step back. */
export function mismatchText({ projection, version, codeVersion }: VersionMismatch): string {
  const repair =
    version > codeVersion
      ? 'use a newer program'
      : `annals rebuild ${projection}, then annals promote ${projection}`;
  return `the read model was made by version ${version}, this program has version ${codeVersion}: ${repair}`;
}
