// Checks an image as all of its consumers together would: no single one finds everything, and registries accept wrong
// diff IDs, sizes and histories. Problems are collected, not thrown; only what is no fault of the image is thrown (network,
// permissions). Without `deep` no layer is read. The rules for entries of layers need a tar scanner (validate-layer.ts).
import { collect } from '../base/streams.ts';
import { hasCode, messageOf, OnlayError } from '../errors.ts';
import { MAX_CONFIG_SIZE, countLayerHistory, parseConfig, type ImageConfig } from './config.ts';
import type { DiffId, Digest } from './digest.ts';
import type { Document, ImageStore } from './image-store.ts';
import {
  isArtifact,
  parseDocument,
  type Descriptor,
  type ImageIndex,
  type ImageManifest,
  type Platform,
} from './manifest.ts';
import { isDocumentType, layerType, mediaFamily } from './media-types.ts';
import { attestationSubject, childKind, formatPlatform, matchPlatform } from './platform.ts';
import { problem, type Problem } from './problem.ts';
import { checkLayer, unreadable, type LowerSymlinks, type OpenScanner } from './validate-layer.ts';
import { verifyBytes } from './verify.ts';

export { PROBLEM_KINDS, type Problem, type ProblemKind } from './problem.ts';
export type { LayerScanner, OpenScanner, ScannedEntry } from './validate-layer.ts';

export interface ValidateOptions {
  /** Read every layer: digest, size, diff ID, compression, and with `openScanner` the entries. */
  readonly deep: boolean;
  /** `(onEntry, what) => new TarParser({ entry: onEntry, … }, { what })` */
  readonly openScanner?: OpenScanner;
}

// overlay2 stops at 128 with its own
const MAX_LAYERS = 125;
const MAX_DEPTH = 4;

/** All problems of an image or index and of everything it refers to; empty when there is none. */
export async function validateImage(
  store: ImageStore,
  document: Document,
  options: ValidateOptions,
): Promise<readonly Problem[]> {
  const validation = new Validation(store, options);
  await validation.document(document, undefined, 0);
  return validation.problems;
}

class Validation {
  readonly problems: Problem[] = [];
  readonly #store: ImageStore;
  readonly #options: ValidateOptions;
  readonly #seen = new Set<Digest>();

  constructor(store: ImageStore, options: ValidateOptions) {
    this.#store = store;
    this.#options = options;
  }

  async document(document: Document, listed: Descriptor | undefined, depth: number): Promise<void> {
    const { digest, mediaType } = document.descriptor;
    if (this.#seen.has(digest)) return;
    this.#seen.add(digest);
    let parsed: ImageIndex | ImageManifest;
    try {
      verifyBytes(document.bytes, document.descriptor, this.#store.name);
      parsed = parseDocument(document);
    } catch (error) {
      return this.#add(documentProblem(error));
    }
    const what = `${parsed.kind} ${digest}`;
    if (parsed.raw['mediaType'] === undefined)
      this.#add(problem('media-type-missing', `${what} has no mediaType field (${mediaType})`));
    if (parsed.family === 'docker' && parsed.raw['annotations'] !== undefined)
      this.#add(
        problem('annotations-in-docker', `${what} has annotations, which Docker's family does not know`),
      );
    if (parsed.kind === 'index') await this.#index(parsed, what, depth);
    else if (!isArtifact(parsed)) await this.#manifest(parsed, what, listed);
    else await this.#blobsExist([parsed.config, ...parsed.layers], what);
  }

  async #index(index: ImageIndex, what: string, depth: number): Promise<void> {
    const platforms = new Set<string>();
    const listed = new Set<string>(index.manifests.map(({ digest }) => digest));
    for (const child of index.manifests) {
      const subject = attestationSubject(child);
      if (subject !== undefined && !listed.has(subject))
        this.#add(
          problem(
            'attestation-orphan',
            `${what}: ${child.digest} speaks of ${subject || 'nothing'}, which is not listed`,
          ),
        );
      if (childKind(child) === 'image' && child.platform) {
        const name = `${formatPlatform(child.platform)} ${child.platform.osVersion ?? ''}`.trim();
        if (platforms.has(name)) this.#add(problem('platform-duplicate', `${what} lists ${name} twice`));
        platforms.add(name);
      }
      if (isDocumentType(child.mediaType)) await this.#child(child, index, what, depth);
      else await this.#blobsExist([child], what);
    }
  }

  async #child(child: Descriptor, index: ImageIndex, what: string, depth: number): Promise<void> {
    const place = `${what}: child ${child.digest}`;
    if (depth >= MAX_DEPTH)
      return this.#add(problem('document-invalid', `${place} is nested deeper than ${MAX_DEPTH} indexes`));
    if (mediaFamily(child.mediaType) !== index.family)
      this.#add(problem('family-mixed', `${place} is ${child.mediaType} in an index of the other family`));
    let document: Document;
    try {
      document = await this.#store.document(child);
    } catch (error) {
      if (hasCode(error, 'IMAGE_NOT_FOUND'))
        return this.#add(problem('child-missing', `${place}: ${messageOf(error)}`));
      if (hasCode(error, 'DIGEST_MISMATCH', 'SIZE_MISMATCH', 'LIMIT_EXCEEDED'))
        return this.#add(problem('child-mismatch', `${place}: ${messageOf(error)}`));
      if (hasCode(error, 'IMAGE_INVALID', 'IMAGE_UNSUPPORTED')) return this.#add(documentProblem(error));
      throw error;
    }
    await this.document(document, child, depth + 1);
  }

  async #manifest(manifest: ImageManifest, what: string, listed: Descriptor | undefined): Promise<void> {
    for (const part of [manifest.config, ...manifest.layers])
      if (mediaFamily(part.mediaType) !== manifest.family)
        this.#add(problem('family-mixed', `${what}: ${part.mediaType} in ${manifest.mediaType}`));
    if (manifest.layers.length > MAX_LAYERS)
      this.#add(
        problem(
          'layers-too-many',
          `${what} has ${manifest.layers.length} layers, runtimes take about ${MAX_LAYERS}`,
        ),
      );
    const config = await this.#config(manifest.config, what);
    if (config) this.#checkConfig(config, manifest, what, listed);
    await this.#layers(manifest, config?.diffIds ?? [], what);
  }

  async #config(descriptor: Descriptor, what: string): Promise<ImageConfig | undefined> {
    const place = `${what}: config ${descriptor.digest}`;
    let bytes: Uint8Array;
    try {
      bytes = await collect(this.#store.blob(descriptor), { limit: MAX_CONFIG_SIZE, what: place });
    } catch (error) {
      this.#add(unreadable(error, place));
      return undefined;
    }
    try {
      return parseConfig(bytes, place);
    } catch (error) {
      if (!(error instanceof OnlayError)) throw error;
      this.#add(problem('config-invalid', error.message));
      return undefined;
    }
  }

  #checkConfig(
    config: ImageConfig,
    manifest: ImageManifest,
    what: string,
    listed: Descriptor | undefined,
  ): void {
    if (config.os === '' || config.architecture === '')
      this.#add(
        problem('platform-missing', `${what}: the config has no ${config.os === '' ? 'os' : 'architecture'}`),
      );
    else if (listed?.platform && !agree(listed.platform, config))
      this.#add(
        problem(
          'platform-mismatch',
          `${what} is listed as ${formatPlatform(listed.platform)}, its config says ${formatPlatform(config)}`,
        ),
      );
    for (const created of [config.created, ...(config.history ?? []).map((entry) => entry.created)])
      if (created !== undefined && !RFC_3339.test(created))
        this.#add(
          problem(
            'created-invalid',
            `${what}: ${JSON.stringify(created.slice(0, 60))} is no date and time of RFC 3339`,
          ),
        );
    if (config.diffIds.length !== manifest.layers.length)
      this.#add(
        problem(
          'layer-count',
          `${what} has ${manifest.layers.length} layers, its config ${config.diffIds.length} diff_ids`,
        ),
      );
    const entries = countLayerHistory(config);
    if (entries > config.diffIds.length)
      this.#add(
        problem(
          'history-long',
          `${what}: the history speaks of ${entries} layers, there are ${config.diffIds.length}`,
        ),
      );
    if (entries < config.diffIds.length && config.history !== undefined)
      this.#add(
        problem(
          'history-short',
          `${what}: the history speaks of ${entries} layers, there are ${config.diffIds.length}`,
        ),
      );
  }

  async #layers(manifest: ImageManifest, diffIds: readonly DiffId[], what: string): Promise<void> {
    const lower: LowerSymlinks = new Set();
    for (const [at, descriptor] of manifest.layers.entries()) {
      const place = `${what}: layer ${at} ${descriptor.digest}`;
      const type = layerType(descriptor.mediaType);
      if (!type || (type.compression === undefined && !type.encrypted))
        this.#add(problem('layer-type-unknown', `${place} is of type ${descriptor.mediaType}`));
      if (type?.family === 'docker' && type.compression === 'zstd')
        this.#add(problem('zstd-in-docker', `${place} is zstd in Docker's family`));
      if (type?.encrypted)
        this.#add(problem('layer-encrypted', `${place} is encrypted and cannot be checked`));
      const present = await this.#store.has(descriptor);
      if (!present && type?.foreign)
        this.#add(problem('layer-foreign', `${place} is kept elsewhere and was not checked`));
      else if (!present && !this.#options.deep)
        this.#add(problem('blob-missing', `${place} is not there, or has another size`));
      else if (this.#options.deep && !type?.encrypted) {
        const { openScanner } = this.#options;
        this.#add(
          ...(await checkLayer({
            store: this.#store,
            descriptor,
            diffId: diffIds[at],
            what: place,
            openScanner,
            lower,
          })),
        );
      }
    }
  }

  async #blobsExist(blobs: readonly Descriptor[], what: string): Promise<void> {
    for (const blob of blobs)
      if (!(await this.#store.has(blob)))
        this.#add(problem('blob-missing', `${what}: ${blob.digest} is not there, or has another size`));
  }

  #add(...problems: readonly Problem[]): void {
    this.problems.push(...problems);
  }
}

const RFC_3339 = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)$/;

// an index may leave out, or be alone in knowing, the variant
function agree(listed: Platform, config: ImageConfig): boolean {
  const fill = (variant: string | undefined): { readonly variant?: string } =>
    variant === undefined ? {} : { variant };
  return matchPlatform(
    { os: listed.os, architecture: listed.architecture, ...fill(listed.variant ?? config.variant) },
    { os: config.os, architecture: config.architecture, ...fill(config.variant ?? listed.variant) },
  );
}

function documentProblem(error: unknown): Problem {
  if (hasCode(error, 'DIGEST_MISMATCH', 'SIZE_MISMATCH')) return problem('document-digest', messageOf(error));
  if (hasCode(error, 'IMAGE_UNSUPPORTED')) return problem('document-unsupported', messageOf(error));
  if (hasCode(error, 'IMAGE_INVALID', 'LIMIT_EXCEEDED')) return problem('document-invalid', messageOf(error));
  throw error;
}
