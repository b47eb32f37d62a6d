import { Metadata, ServerInterceptingCall, type ServerInterceptor, status } from '@grpc/grpc-js';

/** The one user of the double, with the password that a new EventStoreDB gives its administrator. */
export const administrator = { user: 'admin', password: 'changeit' } as const;

const expected = `Basic ${Buffer.from(`${administrator.user}:${administrator.password}`).toString('base64')}`;

/** Clients ask what a server can do, and who is in its cluster, before they say who they are. */
const forEverybody = /^\/event_store\.client\.(?:server_features|gossip)\./;

/**
 * Gives events to nobody but the administrator. As the server: a wrong password is answered as
 * unauthenticated, and who says no name at all is denied the access.
 */
export const onlyAdministrator: ServerInterceptor = ({ path }, call) =>
  new ServerInterceptingCall(call, {
    start: (next) =>
      next({
        onReceiveMetadata: (metadata, pass) => {
          const [said] = metadata.get('authorization');
          if (said === expected) pass(metadata);
          else if (said === undefined && forEverybody.test(path)) pass(metadata);
          else if (said === undefined) call.sendStatus(denied());
          else call.sendStatus({ code: status.UNAUTHENTICATED, details: 'Unauthenticated' });
        },
      }),
  });

function denied() {
  const metadata = new Metadata();
  metadata.set('exception', 'access-denied');
  return { code: status.PERMISSION_DENIED, details: 'Access Denied', metadata };
}
