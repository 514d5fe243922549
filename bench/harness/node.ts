/**
 * Contestants that this Node runs. What all of them need comes with the root's packages; a client that only a peer uses has a
 * package.json beside the peer, so that it is installed only to run that peer.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from './process.ts';

export const NODE_PEERS = 'bench/peers/node';

export function nodeCommand(args: readonly string[], env: Readonly<Record<string, string>>): Command {
  if (!existsSync(args[0])) throw new Error(`${args[0]} is missing: run the bench from the repository root`);
  return {
    file: process.execPath,
    args,
    env: { KAFKAJS_NO_PARTITIONER_WARNING: '1', NODE_NO_WARNINGS: '1', ...env },
  };
}

/** For a peer with a package of its own; if it is not installed, throws with the command that installs it. */
export function peerCommand(
  needs: string,
  script: string,
  env: Readonly<Record<string, string>>,
  folder = NODE_PEERS,
): Command {
  if (!existsSync(join(folder, 'node_modules', needs, 'package.json')))
    throw new Error(`${needs} is not installed: npm ci --prefix ${folder}`);
  return nodeCommand([join(folder, script)], env);
}
