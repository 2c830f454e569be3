// A small image with an rpm database, in memory: crafted headers in an ndb database, which this module writes itself.
import { craftEntries, craftHeader, type CraftedPackage } from './rpm-craft.ts';
import { memoryRoot } from './memory-root.ts';
import type { RootView } from '../../src/rootfs/root-view.ts';

/** Packages.db with one header for each package. */
export function craftDatabase(packages: readonly CraftedPackage[]): Buffer {
  const blobs = packages.map((one) =>
    craftHeader(
      [
        ...craftEntries(one),
        ...(one.files?.length ? [{ tag: 1029, type: 1, value: one.files.map(() => 0) }] : []),
        { tag: 1128, type: 4, value: [1_700_000_000] },
      ],
      63,
    ),
  );
  const sizes = blobs.map((blob) => Math.ceil((blob.length + 28) / 16) * 16);
  const out = Buffer.alloc(sizes.reduce((sum, size) => sum + size, 4096));
  out.write('RpmP', 0, 'latin1');
  out.writeUInt32LE(blobs.length, 8);
  out.writeUInt32LE(1, 12);
  out.writeUInt32LE(blobs.length + 1, 16);
  for (let at = 32; at < 4096; at += 16) out.write('Slot', at, 'latin1');
  let start = 4096;
  blobs.forEach((blob, i) => {
    const size = sizes[i] ?? 0;
    out.writeUInt32LE(i + 1, 32 + 16 * i + 4);
    out.writeUInt32LE(start / 16, 32 + 16 * i + 8);
    out.writeUInt32LE(size / 16, 32 + 16 * i + 12);
    out.write('BlbS', start, 'latin1');
    out.writeUInt32LE(i + 1, start + 4);
    out.writeUInt32LE(i + 1, start + 8);
    out.writeUInt32LE(blob.length, start + 12);
    out.set(blob, start + 16);
    let a = 1;
    let b = 0;
    for (let at = start; at < start + size - 12; at++) {
      a = (a + (out[at] ?? 0)) % 65521;
      b = (b + a) % 65521;
    }
    out.writeUInt32LE(((b << 16) | a) >>> 0, start + size - 12);
    out.writeUInt32LE(blob.length, start + size - 8);
    out.write('BlbE', start + size - 4, 'latin1');
    start += size;
  });
  return out;
}

/** An image with these packages and files. */
export function rpmImage(
  packages: readonly CraftedPackage[],
  files: Parameters<typeof memoryRoot>[0] = {},
): RootView {
  return memoryRoot({
    'etc/passwd': 'root:x:0:0::/:\n',
    'etc/group': 'root:x:0:\n',
    'usr/lib/sysimage/rpm/Packages.db': craftDatabase(packages),
    ...files,
  });
}
