import { readFileSync } from 'node:fs';
import { z } from 'zod';

const fileBytesMax = 64 * 1_024 * 1_024;

/** A setting that names a JSON file of this form. It is read at the start; what is wrong in it is told with its place. */
export function jsonFileField<Schema extends z.ZodType>(schema: Schema) {
  return z
    .string()
    .transform((path, context): z.output<Schema> => {
      const refuse = (message: string) => {
        context.addIssue({ code: 'custom', message: `${path}: ${message}` });
        return z.NEVER;
      };
      let value: unknown;
      try {
        const bytes = readFileSync(path);
        if (bytes.byteLength > fileBytesMax) return refuse(`has more than ${fileBytesMax} bytes`);
        value = JSON.parse(bytes.toString());
      } catch (error) {
        // Never the text of the file: it may hold keys.
        return refuse(error instanceof SyntaxError ? 'is no JSON' : 'cannot be read');
      }
      const parsed = schema.safeParse(value);
      if (parsed.success) return parsed.data;
      const [issue] = parsed.error.issues;
      return refuse(`${issue?.path.join('.') || 'the file'}: ${issue?.message ?? 'is wrong'}`);
    })
    .optional();
}
