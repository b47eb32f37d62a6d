import type { Site } from '../engines-folder.ts';

/** One process of an engine that is being started. */
export interface NodeSite {
  /** From 1. */
  readonly number: number;
  /** Its own folder: configuration, data, `log`. */
  readonly folder: string;
  /** The first one is for clients. */
  readonly ports: readonly number[];
}

/** How to start a process. */
export interface Command {
  readonly file: string;
  readonly args: readonly string[];
}

/** The programs of one kind, found on this machine. */
export interface Programs {
  /** Writes what stands beside the data of a node, before each of its starts; ports stay the same. */
  configure(node: NodeSite, nodes: readonly NodeSite[]): void;
  /** Makes what a node without data needs before its first start. */
  format?(nodes: readonly NodeSite[]): Promise<void>;
  command(node: NodeSite): Command;
  /** Has a node of Cassandra do what only its operators can ask for. */
  nodetool?(node: NodeSite, args: readonly string[]): Command;
  /** Makes one engine of nodes that answer for the first time. */
  form?(nodes: readonly NodeSite[]): Promise<void>;
}

/** One kind of engine: how many processes, how they are started, how they say that they are well. */
export interface EngineKind {
  readonly nodes: number;
  readonly portsPerNode: number;
  readonly startMsMax: number;
  /** How long a process may take to end by itself. */
  readonly stopMsMax: number;
  /** Looks for the programs, and fetches jars. Throws `missing-program`. */
  programs(site: Site): Promise<Programs>;
  /** Whether the node at this port answers its protocol. */
  answers(port: number): Promise<boolean>;
  /** Whether the node at this port sees an engine of this many healthy nodes. */
  isWhole(port: number, nodes: number): Promise<boolean>;
  /** What configuration takes to name this engine; addresses are `127.0.0.1:20001`, folders those of the nodes. */
  url(addresses: readonly string[], folders: readonly string[]): string;
}
