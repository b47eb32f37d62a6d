import type { z } from 'zod';
import type { Books } from './books.ts';
import type { Reply } from './reply.ts';

/** One operation of the API. */
export interface Route {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** `:id` stands for the one part that varies. */
  readonly path: string;
  /** What faults name it by. */
  readonly operation: string;
  readonly parameters: z.ZodType;
  readonly handle: (books: Books, parameters: never, id: string) => Reply;
}

/** Keeps the handler's parameters in step with the schema. */
export function route<S extends z.ZodType>(definition: {
  readonly method: Route['method'];
  readonly path: string;
  readonly operation: string;
  readonly parameters: S;
  readonly handle: (books: Books, parameters: z.output<S>, id: string) => Reply;
}): Route {
  return definition as Route;
}
