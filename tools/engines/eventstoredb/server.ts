import { randomUUID } from 'node:crypto';
import gossipServices from '@eventstore/db-client/generated/gossip_grpc_pb.js';
import gossip from '@eventstore/db-client/generated/gossip_pb.js';
import featureServices from '@eventstore/db-client/generated/serverfeatures_grpc_pb.js';
import features from '@eventstore/db-client/generated/serverfeatures_pb.js';
import shared from '@eventstore/db-client/generated/shared_pb.js';
import streamServices from '@eventstore/db-client/generated/streams_grpc_pb.js';
import { Server, ServerCredentials, type sendUnaryData } from '@grpc/grpc-js';
import { readCertificate } from './certificates.ts';
import { EventStore } from './event-store.ts';
import { readService } from './read-service.ts';
import { onlyAdministrator } from './users.ts';
import { writeService } from './write-service.ts';

/**
 * `server.ts FOLDER PORT [tls]`: a test double of EventStoreDB, on the wire. It is no database: one node, one user
 * at most, no projections, no persistent subscriptions, nothing is ever scavenged. With `tls` it serves with the
 * certificate in its folder, and the administrator only.
 */
const [, , folder = '.', portText = '', how = 'insecure'] = process.argv;
const isSecure = how === 'tls';
const port = Number(portText);

/** What clients of this version ask for; a server says which of its calls it has. */
const version = '24.10.0-test-double';
/** As the server has it, so that large appends reach the check of their size. */
const messageBytesMax = 17 * 1024 * 1024;
const stopMsMax = 2_000;

const store = new EventStore(folder);
const server = new Server({
  'grpc.max_receive_message_length': messageBytesMax,
  interceptors: isSecure ? [onlyAdministrator] : [],
});
server.addService(streamServices.StreamsService, { ...readService(store), ...writeService(store) });
server.addService(featureServices.ServerFeaturesService, {
  getSupportedMethods: (_call: unknown, answer: sendUnaryData<unknown>) =>
    answer(null, supportedMethods()),
});
server.addService(gossipServices.GossipService, {
  read: (_call: unknown, answer: sendUnaryData<unknown>) => answer(null, clusterOfOne()),
});

function supportedMethods() {
  const methods = ['read', 'append', 'batchappend', 'delete', 'tombstone'].map((name) =>
    new features.SupportedMethod()
      .setServiceName('event_store.client.streams.streams')
      .setMethodName(name),
  );
  return new features.SupportedMethods()
    .setEventStoreServerVersion(version)
    .setMethodsList(methods);
}

const instanceId = randomUUID();

function clusterOfOne() {
  const member = new gossip.MemberInfo()
    .setInstanceId(new shared.UUID().setString(instanceId))
    .setTimeStamp(String(Date.now() * 10_000))
    .setState(gossip.MemberInfo.VNodeState.LEADER)
    .setIsAlive(true)
    .setHttpEndPoint(new gossip.EndPoint().setAddress('127.0.0.1').setPort(port));
  return new gossip.ClusterInfo().setMembersList([member]);
}

function credentials(): ServerCredentials {
  if (!isSecure) return ServerCredentials.createInsecure();
  const { certificate, key } = readCertificate(folder);
  return ServerCredentials.createSsl(null, [{ cert_chain: certificate, private_key: key }]);
}

server.bindAsync(`127.0.0.1:${port}`, credentials(), (error) => {
  if (error) {
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  }
  process.stdout.write(`a test double of EventStoreDB (${version}) listens on 127.0.0.1:${port}\n`);
});

process.once('SIGTERM', () => {
  // Subscriptions never end by themselves.
  setTimeout(() => server.forceShutdown(), stopMsMax).unref();
  server.tryShutdown(() => {
    store.close();
    process.exit(0);
  });
});
