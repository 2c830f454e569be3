// The toy image as copa (BuildKit) leaves it: one squashed layer with the upgraded package and the rewritten database,
// the base's name in the label "BaseImage" under the lower-case key "labels", marks in annotations and history.
import type { Document, ImageStore } from '../../src/oci/image-store.ts';
import { putImage } from './images.ts';
import { OLD, makeLayer, rootEntries } from './toy-debian.ts';
import type { ImageOptions } from './toy-debian.ts';
import type { ToyPackage } from './toy-package.ts';

/** `upgraded` in place of the old packages of that name. */
export async function putCopaImage(
  store: ImageStore,
  upgraded: readonly ToyPackage[],
  options: ImageOptions & { readonly baseName: string },
  tag: string,
): Promise<Document> {
  const after = OLD.map((item) => upgraded.find(({ name }) => name === item.name) ?? item);
  const before = new Map(rootEntries(OLD, options).map((entry) => [entry.path, entry.content]));
  const changed = rootEntries(after, options).filter(
    ({ path, type, content }) => type !== 'symlink' && (type === 'directory' || before.get(path) !== content),
  );
  return putImage(
    store,
    {
      layers: [makeLayer(rootEntries(OLD, options)), makeLayer(changed)],
      config: {
        config: { Env: ['PATH=/bin'], Labels: { vendor: 'toys' }, labels: { BaseImage: options.baseName } },
        history: [
          { created: '2024-05-06T07:08:09Z', created_by: 'step 0' },
          {
            created: '2024-06-01T00:00:00Z',
            created_by:
              'mount / from exec sh -c apt-get install --no-install-recommends -y hello && apt-get clean -y',
            comment: 'buildkit.exporter.image.v0',
          },
        ],
      },
      manifest: {
        annotations: {
          'org.opencontainers.image.created': '2024-06-01T00:00:00Z',
          'sh.copa.image.patched': '2024-06-01T00:00:00Z',
        },
      },
    },
    tag,
  );
}
