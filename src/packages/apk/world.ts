// etc/apk/world: what the user asked for, a dependency a line. onlay reads it and never writes it: upgrading changes
// no wish of the user's.
import { byteString } from '../../base/bytes.ts';
import type { RootView } from '../../rootfs/root-view.ts';
import { parseDependencies } from './dependencies.ts';
import type { Dependency } from './dependencies.ts';

export const WORLD_PATH = 'etc/apk/world';

/** undefined: there is no such file, so nothing is known to be wanted. */
export function readWorld(root: RootView): readonly Dependency[] | undefined {
  if (!root.readable(WORLD_PATH)) return undefined;
  return parseDependencies(byteString(root.read(WORLD_PATH) ?? new Uint8Array()));
}

/** Why a package must keep its version: `name=1.2-r3` or one exact file in world. */
export function pinOf(world: readonly Dependency[], name: string): string | undefined {
  const pinned = world.some(
    (dependency) => dependency.name === name && (dependency.operator === '=' || dependency.operator === '><'),
  );
  return pinned ? 'pin' : undefined;
}
