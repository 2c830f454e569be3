// All image stores: the user's text becomes a target (target.ts), the target an open store.
import type { Readable, Writable } from 'node:stream';
import type { Log } from '../base/log.ts';
import type { ImageStore } from '../oci/image-store.ts';
import { fileEnds, streamEnds } from './archive/ends.ts';
import { ArchiveStore } from './archive/index.ts';
import { openDaemon } from './daemon/index.ts';
import { openLayout } from './layout/index.ts';
import type { RegistryOptions } from './registry/index.ts';
import type { Target } from './target.ts';

export { formatTarget, nameOf, parseTransport, pointOf, type Target } from './target.ts';
export type { RegistryOptions } from './registry/index.ts';

export interface StoreOptions {
  readonly stdin: Readable & { readonly isTTY?: boolean };
  readonly stdout: Writable & { readonly isTTY?: boolean };
  readonly log: Log;
  readonly signal?: AbortSignal;
  readonly registry: RegistryOptions;
}

/**
 * Opens the store that holds `target`. With access 'write' it may be missing; an archive then starts empty and replaces
 * what was there. The caller disposes of it. Throws IMAGE_NOT_FOUND, TARGET_REFUSED, IMAGE_INVALID.
 */
export async function openStore(
  target: Target,
  options: StoreOptions,
  access: 'read' | 'write' = 'read',
): Promise<ImageStore> {
  const signal = options.signal && { signal: options.signal };
  switch (target.kind) {
    case 'registry': {
      // the HTTP client is loaded when it is needed
      const { openRegistry } = await import('./registry/index.ts');
      return openRegistry(target.reference, options.registry);
    }
    case 'layout': {
      const { directory, tag, digest } = target;
      const point = { ...(tag !== undefined && { tag }), ...(digest !== undefined && { digest }) };
      return openLayout(directory, { ...point, ...signal, create: access === 'write' });
    }
    case 'archive': {
      const name = `${target.format}-archive:${target.file}`;
      const ends = fileEnds(target.file, name, access);
      return new ArchiveStore(ends, { style: target.format, ...imageOf(target), ...signal });
    }
    case 'stream': {
      const name = access === 'read' ? 'standard input' : 'standard output';
      const ends = streamEnds(name, options.stdin, options.stdout, options.signal);
      return new ArchiveStore(access === 'read' ? ends : { ...ends, read: async () => undefined }, {
        style: target.format,
        ...imageOf(target),
        ...signal,
      });
    }
    case 'daemon':
      return openDaemon(target.program, target.image, { access, ...signal });
    default:
      return target satisfies never;
  }
}

function imageOf(target: { readonly image?: string }): { readonly image?: string } {
  return target.image === undefined ? {} : { image: target.image };
}
