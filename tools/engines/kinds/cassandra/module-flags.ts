/** What Cassandra 5 uses of Java 17 that is not open to everybody (conf/jvm17-server.options of its distribution). */
const exported: Readonly<Record<string, readonly string[]>> = {
  'java.base': ['jdk.internal.misc', 'jdk.internal.ref', 'sun.nio.ch'],
  'java.management.rmi': ['com.sun.jmx.remote.internal.rmi'],
  'java.rmi': ['sun.rmi.registry', 'sun.rmi.server', 'sun.rmi.transport.tcp'],
  'java.sql': ['java.sql'],
  'jdk.unsupported': ['sun.misc'],
};

const opened: Readonly<Record<string, readonly string[]>> = {
  'java.base': [
    'java.io',
    'java.lang',
    'java.lang.module',
    'java.lang.reflect',
    'java.net',
    'java.nio',
    'java.util',
    'java.util.concurrent',
    'java.util.concurrent.atomic',
    'jdk.internal.loader',
    'jdk.internal.math',
    'jdk.internal.module',
    'jdk.internal.ref',
    'jdk.internal.reflect',
    'jdk.internal.util.jar',
    'sun.nio.ch',
  ],
  'jdk.management': ['com.sun.management.internal'],
};

export const moduleFlags: readonly string[] = [
  ...flags('--add-exports', exported),
  ...flags('--add-opens', opened),
];

function flags(option: string, modules: Readonly<Record<string, readonly string[]>>): string[] {
  return Object.entries(modules).flatMap(([module, packages]) =>
    packages.map((name) => `${option}=${module}/${name}=ALL-UNNAMED`),
  );
}
