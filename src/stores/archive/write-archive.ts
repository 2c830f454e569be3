// An image archive that everybody opens: an OCI layout with Docker's manifest.json beside index.json. `docker load`,
// `podman load`, `ctr images import`, skopeo's oci-archive: and docker-archive: all take it. Small files come first, for
// readers of a stream; the same images give the same bytes.
import { TAR_END, tarHeader, tarPadding } from '../../archive/tar-write.ts';
import { encodeText } from '../../base/bytes.ts';
import { collect, type ByteStream } from '../../base/streams.ts';
import type { Digest } from '../../oci/digest.ts';
import type { Document } from '../../oci/image-store.ts';
import {
  MAX_DOCUMENT_SIZE,
  isArtifact,
  parseDocument,
  serialize,
  type Descriptor,
  type ImageManifest,
} from '../../oci/manifest.ts';
import { isDocumentType, OCI_INDEX } from '../../oci/media-types.ts';
import { childKind } from '../../oci/platform.ts';
import { partsOf } from '../complete.ts';
import { repoTag } from '../image-names.ts';
import { INDEX_FILE, LAYOUT_FILE, LAYOUT_TEXT, indexEntry } from '../layout/index-file.ts';
import { DOCKER_FILE } from './content.ts';

export interface NamedDocument {
  readonly name: string | undefined;
  readonly document: Document;
}

/** The archive of `images`. `open` gives each blob and document they refer to; `style` is how they are named. */
export async function* archiveStream(
  images: readonly NamedDocument[],
  open: (descriptor: Descriptor) => ByteStream,
  style: 'oci' | 'docker',
): AsyncGenerator<Uint8Array, void, undefined> {
  const closure = await gather(images, open);
  const index = {
    schemaVersion: 2,
    mediaType: OCI_INDEX,
    manifests: images.map(({ name, document }) => indexEntry(document.descriptor, name, style)),
  };
  yield* member(LAYOUT_FILE, Buffer.from(LAYOUT_TEXT));
  yield* member(INDEX_FILE, serialize(index));
  const items = [...closure.tags].flatMap(([manifest, tags]) => dockerItem(manifest, tags, closure.parts));
  if (items.length > 0) yield* member(DOCKER_FILE, serialize(items));
  const parts = [...closure.parts.values()].sort(smallFirst);
  for (const algorithm of ['', ...new Set(parts.map(({ digest }) => `/${digest.split(':', 1)[0]}`))].sort())
    yield tarHeader({ ...OWNER, path: `blobs${algorithm}`, type: 'directory', mode: 0o755 });
  for (const part of parts) {
    yield tarHeader({ ...OWNER, path: blobPath(part.digest), type: 'file', mode: 0o644, size: part.size });
    yield* open(part);
    yield tarPadding(part.size);
  }
  yield TAR_END;
}

const OWNER = { uid: 0, gid: 0, mtime: 0 } as const;

function* member(path: string, content: Uint8Array): Generator<Uint8Array> {
  yield tarHeader({ ...OWNER, path: encodeText(path), type: 'file', mode: 0o644, size: content.length });
  yield content;
  yield tarPadding(content.length);
}

function blobPath(digest: Digest): string {
  return `blobs/${digest.replace(':', '/')}`;
}

interface Closure {
  readonly parts: Map<Digest, Descriptor>;
  /** Images for manifest.json, with the names they get there. */
  readonly tags: Map<ImageManifest, string[]>;
}

async function gather(
  images: readonly NamedDocument[],
  open: (descriptor: Descriptor) => ByteStream,
): Promise<Closure> {
  const closure: Closure = { parts: new Map(), tags: new Map() };
  const manifests = new Map<Digest, ImageManifest>();
  const visit = async (document: Document): Promise<ImageManifest[]> => {
    const { digest } = document.descriptor;
    const parsed = parseDocument(document);
    closure.parts.set(digest, document.descriptor);
    if (parsed.kind === 'manifest') {
      for (const part of partsOf(document)) closure.parts.set(part.digest, part);
      const manifest = manifests.get(digest) ?? parsed;
      manifests.set(digest, manifest);
      return isArtifact(manifest) ? [] : [manifest];
    }
    const found: ImageManifest[] = [];
    for (const child of parsed.manifests) {
      closure.parts.set(child.digest, child);
      if (!isDocumentType(child.mediaType)) continue;
      const bytes = await collect(open(child), { limit: MAX_DOCUMENT_SIZE, what: child.digest });
      const below = await visit({ descriptor: child, bytes });
      if (childKind(child) !== 'attestation') found.push(...below);
    }
    return found;
  };
  for (const { name, document } of images) {
    const below = await visit(document);
    // one name can be given to one image only: the first of an index
    for (const [at, manifest] of below.entries()) {
      const tags = closure.tags.get(manifest) ?? [];
      const tag = name === undefined || at > 0 ? undefined : repoTag(name);
      closure.tags.set(manifest, tag === undefined ? tags : [...tags, tag]);
    }
  }
  return closure;
}

// an image with layers that stay elsewhere cannot be loaded by Docker
function dockerItem(manifest: ImageManifest, tags: readonly string[], parts: Closure['parts']): object[] {
  if (!manifest.layers.every((layer) => parts.has(layer.digest))) return [];
  return [
    {
      Config: blobPath(manifest.config.digest),
      RepoTags: tags.length > 0 ? tags : null,
      Layers: manifest.layers.map((layer) => blobPath(layer.digest)),
    },
  ];
}

const SMALL = 1 << 16;

// documents and configs before layers; both by digest
function smallFirst(a: Descriptor, b: Descriptor): number {
  const rank = Number(a.size > SMALL) - Number(b.size > SMALL);
  return rank !== 0 ? rank : a.digest < b.digest ? -1 : 1;
}
