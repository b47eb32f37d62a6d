import { sha256 } from '@annals/core';
import { z } from 'zod';
import type { Books } from './books.ts';
import type { PaymentMethod } from './objects.ts';
import { expanding } from './parameters.ts';
import { answer, missing } from './reply.ts';
import { type Route, route } from './route.ts';
import { type CardBehaviour, cardOfToken } from './test-tokens.ts';

/** Brand by the first digits of a test number (ISO/IEC 7812), as far as the sandbox has cards. */
function brandOf(number: string): string {
  if (/^3[47]/.test(number)) return 'amex';
  return number.startsWith('5') ? 'mastercard' : 'visa';
}

/** A method that behaves as a test token says: what the hosted page makes, and what every use of a token makes. */
export function makeMethod(books: Books, card: CardBehaviour): PaymentMethod {
  const method = newMethod(books, card);
  books.storage.insert('payment_method', method);
  return method;
}

function newMethod(books: Books, card: CardBehaviour): PaymentMethod {
  const number = card.number ?? '4000000000000000';
  return {
    id: books.idOf('payment_method'),
    object: 'payment_method',
    type: 'card',
    card: {
      brand: brandOf(number),
      last4: number.slice(-4),
      fingerprint: sha256(`sandbox card ${card.token}`).slice(0, 16),
    },
    created: books.now,
    customer: null,
    livemode: false,
    token: card.token,
  };
}

/** A method by its id, or a new one of a test token; undefined when there is neither. */
export function findMethod(books: Books, text: string): PaymentMethod | undefined {
  const card = cardOfToken(text);
  return card ? makeMethod(books, card) : books.get('payment_method', text);
}

export function behaviourOf({ id, token }: PaymentMethod): CardBehaviour {
  const card = cardOfToken(token);
  if (!card) throw new Error(`${id} was made from ${token}, which this sandbox does not know`);
  return card;
}

/** As the API shows it: the token that it was made from stays within. */
export function shownMethod({ token: _, ...method }: PaymentMethod): object {
  return method;
}

export const paymentMethodRoutes: readonly Route[] = [
  route({
    ...{ method: 'GET', path: '/v1/payment_methods/:id', operation: 'payment_methods.retrieve' },
    parameters: z.strictObject(expanding),
    handle: (books, _, id) => {
      // To look at a test token makes nothing.
      const card = cardOfToken(id);
      const method = card ? newMethod(books, card) : books.get('payment_method', id);
      return method ? answer(shownMethod(method)) : missing('PaymentMethod', id, 'payment_method');
    },
  }),
];
