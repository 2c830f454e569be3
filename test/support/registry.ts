// A registry in this process: the OCI distribution specification 1.1 over plain http or https, in memory or in a
// directory. It does what the specification says; options make it behave like registries that do not.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ServerOptions } from 'node:https';
import { randomUUID } from 'node:crypto';
import { bodyOf, startServer, type TestServer } from './http-server.ts';
import {
  digestLike,
  directoryContent,
  memoryContent,
  type Content,
  type Repository,
} from './registry-content.ts';
import { basicUser, startTokenServer, type TokenServer, type TokenServerOptions } from './token-server.ts';

export interface TestRegistryOptions {
  /** Keeps content here; without, in memory. */
  readonly directory?: string;
  readonly port?: number;
  readonly tls?: ServerOptions;
  readonly auth?:
    | { readonly kind: 'basic'; readonly users: Readonly<Record<string, string>> }
    | ({ readonly kind: 'bearer'; readonly service?: string } & TokenServerOptions);
  /** Form of upload locations; docker-registry's are absolute and carry state that changes with every request. */
  readonly location?: 'relative' | 'absolute';
  /** false: no referrers API, and no OCI-Subject. */
  readonly referrers?: boolean;
  /** true: OCI documents are 404 for clients that do not list their type, as with docker-registry. */
  readonly strictAccept?: boolean;
  /** Tags cannot be moved: the answer, status and error code. */
  readonly immutable?: { readonly status: number; readonly code: string; readonly message: string };
  readonly readOnly?: boolean;
  /** Stated in OCI-Chunk-Min-Length and enforced. */
  readonly chunkMinLength?: number;
  /** Bodies above this are refused with 413, as by a proxy. */
  readonly maxBody?: number;
}

export interface TestRegistry extends TestServer {
  readonly content: Content;
  readonly tokens: TokenServer | undefined;
}

export async function startRegistry(options: TestRegistryOptions = {}): Promise<TestRegistry> {
  const content = options.directory === undefined ? memoryContent() : directoryContent(options.directory);
  const tokens = options.auth?.kind === 'bearer' ? await startTokenServer(options.auth) : undefined;
  const uploads: Uploads = new Map();
  const server: TestServer = await startServer(
    (request, response) =>
      serve(request, response, { content, tokens, uploads, options, url: () => server.url }),
    { ...(options.tls && { tls: options.tls }), ...(options.port !== undefined && { port: options.port }) },
  );
  return {
    ...server,
    content,
    tokens,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await tokens?.[Symbol.asyncDispose]();
    },
  };
}

type Uploads = Map<string, { repository: string; chunks: Uint8Array[]; size: number }>;

interface State {
  readonly content: Content;
  readonly tokens: TokenServer | undefined;
  readonly uploads: Uploads;
  readonly options: TestRegistryOptions;
  readonly url: () => string;
}

interface Call extends State {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly method: string;
  readonly name: string;
  readonly rest: string;
  readonly query: URLSearchParams;
}

class Refusal extends Error {
  readonly status: number;
  readonly code: string;
  readonly headers: Record<string, string>;
  constructor(status: number, code: string, message: string, headers: Record<string, string> = {}) {
    super(message);
    this.status = status;
    this.code = code;
    this.headers = headers;
  }
}

const NAME = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const ROUTE = /^\/v2\/(.+?)\/(blobs|manifests|tags|referrers)\/(.*)$/;

async function serve(request: IncomingMessage, response: ServerResponse, state: State): Promise<void> {
  const method = request.method ?? 'GET';
  try {
    const url = new URL(request.url ?? '/', 'http://registry');
    const [, name = '', kind = '', rest = ''] = ROUTE.exec(decodeURIComponent(url.pathname)) ?? [];
    const call: Call = { ...state, request, response, method, name, rest, query: url.searchParams };
    authorize(call, kind);
    if (/^\/v2\/?$/.test(url.pathname)) return answer(call, 200, {}, '{}');
    if (!NAME.test(name))
      throw new Refusal(404, kind === '' ? 'NOT_FOUND' : 'NAME_INVALID', 'no such resource');
    if (state.options.readOnly && method !== 'GET' && method !== 'HEAD')
      throw new Refusal(405, 'UNSUPPORTED', 'The operation is unsupported.');
    if (kind === 'blobs' && rest.startsWith('uploads/')) return await serveUpload(call, rest.slice(8));
    if (kind === 'blobs') return serveBlob(call);
    if (kind === 'manifests') return await serveManifest(call);
    if (kind === 'tags' && rest === 'list') return serveTags(call);
    if (kind === 'referrers') return serveReferrers(call);
    throw new Refusal(404, 'NOT_FOUND', 'no such resource');
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const body = JSON.stringify({ errors: [{ code: error.code, message: error.message, detail: null }] });
    request.resume();
    response
      .writeHead(error.status, { 'content-type': 'application/json', ...error.headers })
      .end(method === 'HEAD' ? undefined : body);
  }
}

function answer(
  { response, method }: Call,
  status: number,
  headers: Record<string, string | number>,
  body: string | Uint8Array = '',
): void {
  response.writeHead(status, { 'content-length': Buffer.byteLength(body), ...headers });
  response.end(method === 'HEAD' ? undefined : body);
}

function authorize({ options, tokens, request, name, method, query }: Call, kind: string): void {
  const { auth } = options;
  if (!auth) return;
  const refuse = (challenge: string): Refusal =>
    new Refusal(401, 'UNAUTHORIZED', 'authentication required', { 'www-authenticate': challenge });
  if (auth.kind === 'basic') {
    if (!basicUser(request, auth.users)) throw refuse('Basic realm="test registry"');
    return;
  }
  const actions =
    method === 'GET' || method === 'HEAD' ? ['pull'] : method === 'DELETE' ? ['delete'] : ['pull', 'push'];
  const wanted = kind === '' ? [] : [{ name, actions }];
  const from = query.get('from');
  if (query.has('mount') && from !== null) wanted.push({ name: from, actions: ['pull'] });
  const scope = wanted.map((item) => `repository:${item.name}:${item.actions.join(',')}`).join(' ');
  const challenge = `Bearer realm="${tokens?.realm}",service="${auth.service ?? 'test'}"${scope === '' ? '' : `,scope="${scope}"`}`;
  const token = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1];
  if (token === undefined) throw refuse(challenge);
  const grants = tokens?.grants(token);
  if (!grants) throw refuse(`${challenge},error="invalid_token"`);
  const allowed = wanted.every((item) =>
    item.actions.every((action) =>
      grants.some((grant) => grant.name === item.name && grant.actions.includes(action)),
    ),
  );
  if (!allowed) throw refuse(`${challenge},error="insufficient_scope"`);
}

function serveBlob(call: Call): void {
  const { content, name, rest: digest, request, method } = call;
  const repository = content.repository(name);
  if (digestLike(digest, new Uint8Array()) === undefined)
    throw new Refusal(400, 'DIGEST_INVALID', 'provided digest did not match uploaded content');
  const bytes = repository?.blobs.has(digest) ? content.read(digest) : undefined;
  if (!bytes || !repository) throw new Refusal(404, 'BLOB_UNKNOWN', 'blob unknown to registry');
  if (method === 'DELETE') {
    repository.blobs.delete(digest);
    content.save();
    return answer(call, 202, {});
  }
  const headers = {
    'content-type': 'application/octet-stream',
    'docker-content-digest': digest,
    'accept-ranges': 'bytes',
    etag: `"${digest}"`,
  };
  const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
  if (!range) return answer(call, 200, { ...headers, 'content-length': bytes.length }, bytes);
  const start = Number(range[1]);
  const end = Math.min(range[2] ? Number(range[2]) : Infinity, bytes.length - 1);
  if (start > end)
    throw new Refusal(416, 'RANGE_INVALID', 'invalid content range', {
      'content-range': `bytes */${bytes.length}`,
    });
  const part = bytes.subarray(start, end + 1);
  return answer(call, 206, { ...headers, 'content-range': `bytes ${start}-${end}/${bytes.length}` }, part);
}

async function serveUpload(call: Call, id: string): Promise<void> {
  const { content, name, query, request, method, uploads, options } = call;
  const { repository } = uploads.get(id) ?? {};
  if (id === '' && method === 'POST') return startUpload(call);
  const upload = repository === name ? uploads.get(id) : undefined;
  if (!upload) throw new Refusal(404, 'BLOB_UPLOAD_UNKNOWN', 'blob upload unknown to registry');
  const progress = { location: locationOf(call, id), range: `0-${Math.max(upload.size - 1, 0)}` };
  if (method === 'GET') return answer(call, 204, progress);
  if (method === 'DELETE') {
    uploads.delete(id);
    return answer(call, 204, {});
  }
  if (method !== 'PATCH' && method !== 'PUT')
    throw new Refusal(405, 'UNSUPPORTED', 'The operation is unsupported.');
  limitBody(call);
  const range = /^(?:bytes )?(\d+)-(\d+)/.exec(request.headers['content-range'] ?? '');
  if (range && Number(range[1]) !== upload.size)
    throw new Refusal(416, 'RANGE_INVALID', 'invalid content range', progress);
  const chunk = await bodyOf(request);
  if (method === 'PATCH' && (upload.chunks.at(-1)?.length ?? Infinity) < (options.chunkMinLength ?? 0))
    throw new Refusal(416, 'SIZE_INVALID', 'the chunk before was too small', progress);
  upload.chunks.push(chunk);
  upload.size += chunk.length;
  if (method === 'PATCH')
    return answer(call, 202, { location: locationOf(call, id), range: `0-${Math.max(upload.size - 1, 0)}` });
  uploads.delete(id);
  return finish(call, query.get('digest') ?? '', Buffer.concat(upload.chunks), content.openRepository(name));
}

async function startUpload(call: Call): Promise<void> {
  const { content, name, query, request, uploads, options } = call;
  const [mount, from, digest] = [query.get('mount'), query.get('from'), query.get('digest')];
  if (mount !== null && from !== null && content.repository(from)?.blobs.has(mount)) {
    content.openRepository(name).blobs.add(mount);
    content.save();
    return answer(call, 201, { location: `/v2/${name}/blobs/${mount}`, 'docker-content-digest': mount });
  }
  limitBody(call);
  const body = await bodyOf(request);
  if (digest !== null && mount === null) return finish(call, digest, body, content.openRepository(name));
  const id = randomUUID();
  uploads.set(id, { repository: name, chunks: [], size: 0 });
  const chunk =
    options.chunkMinLength === undefined ? {} : { 'oci-chunk-min-length': options.chunkMinLength };
  return answer(call, 202, {
    location: locationOf(call, id),
    range: '0-0',
    'docker-upload-uuid': id,
    ...chunk,
  });
}

function finish(call: Call, digest: string, bytes: Uint8Array, repository: Repository): void {
  if (digestLike(digest, bytes) !== digest)
    throw new Refusal(400, 'DIGEST_INVALID', 'provided digest did not match uploaded content');
  call.content.write(digest, bytes);
  repository.blobs.add(digest);
  call.content.save();
  return answer(call, 201, { location: `/v2/${call.name}/blobs/${digest}`, 'docker-content-digest': digest });
}

function locationOf({ name, options, url, request }: Call, id: string): string {
  const path = `/v2/${name}/blobs/uploads/${id}`;
  if (options.location !== 'absolute') return path;
  const scheme = url().split(':', 1)[0];
  return `${scheme}://${request.headers.host}${path}?_state=${randomUUID()}%3D%3D`;
}

function limitBody({ request, options }: Call): void {
  if (Number(request.headers['content-length'] ?? 0) > (options.maxBody ?? Infinity))
    throw new Refusal(413, 'SIZE_INVALID', 'request body too large');
}

const MAX_MANIFEST = 4 << 20;

async function serveManifest(call: Call): Promise<void> {
  const { content, name, rest: reference, request, method, options } = call;
  if (method === 'PUT') return putManifest(call);
  const repository = content.repository(name);
  if (!repository) throw new Refusal(404, 'NAME_UNKNOWN', 'repository name not known to registry');
  const digest = reference.includes(':') ? reference : repository.tags.get(reference);
  const mediaType = digest === undefined ? undefined : repository.manifests.get(digest);
  const bytes = mediaType === undefined || digest === undefined ? undefined : content.read(digest);
  const hidden =
    options.strictAccept && mediaType?.includes('.oci.') && !request.headers.accept?.includes(mediaType);
  if (!bytes || mediaType === undefined || digest === undefined || hidden)
    throw new Refusal(404, 'MANIFEST_UNKNOWN', 'manifest unknown');
  if (method === 'DELETE') {
    if (reference === digest) repository.manifests.delete(digest);
    for (const [tag, target] of repository.tags)
      if (tag === reference || (reference === digest && target === digest)) repository.tags.delete(tag);
    content.save();
    return answer(call, 202, {});
  }
  const headers = { 'content-type': mediaType, 'docker-content-digest': digest, etag: `"${digest}"` };
  return answer(call, 200, { ...headers, 'content-length': bytes.length }, bytes);
}

async function putManifest(call: Call): Promise<void> {
  const { content, name, rest: reference, request, options } = call;
  const bytes = await bodyOf(request);
  if (bytes.length > MAX_MANIFEST) throw new Refusal(413, 'SIZE_INVALID', 'the manifest is too large');
  const manifest = parseManifest(bytes);
  const mediaType = (request.headers['content-type'] ?? '').split(';', 1)[0] ?? '';
  if (manifest.mediaType !== undefined && manifest.mediaType !== mediaType)
    throw new Refusal(
      400,
      'MANIFEST_INVALID',
      `mediaType is ${manifest.mediaType}, Content-Type ${mediaType}`,
    );
  const digest = digestLike(reference.includes(':') ? reference : `sha256:${'0'.repeat(64)}`, bytes) ?? '';
  if (reference.includes(':') && digest !== reference)
    throw new Refusal(400, 'DIGEST_INVALID', 'provided digest did not match uploaded content');
  const repository = content.openRepository(name);
  for (const part of [manifest.config, ...(manifest.layers ?? [])])
    if (part && !repository.blobs.has(part.digest) && !part.urls)
      throw new Refusal(400, 'MANIFEST_BLOB_UNKNOWN', `blob unknown to registry: ${part.digest}`);
  for (const child of manifest.manifests ?? [])
    if (!repository.manifests.has(child.digest))
      throw new Refusal(400, 'MANIFEST_BLOB_UNKNOWN', `manifest unknown to registry: ${child.digest}`);
  if (!reference.includes(':')) {
    const current = repository.tags.get(reference);
    if (options.immutable && current !== undefined)
      throw new Refusal(options.immutable.status, options.immutable.code, options.immutable.message);
    if (!/^\w[\w.-]{0,127}$/.test(reference))
      throw new Refusal(400, 'TAG_INVALID', 'manifest tag did not match');
    repository.tags.set(reference, digest);
  }
  content.write(digest, bytes);
  repository.manifests.set(digest, mediaType);
  content.save();
  const subject = options.referrers === false ? undefined : manifest.subject?.digest;
  return answer(call, 201, {
    location: `/v2/${name}/manifests/${digest}`,
    'docker-content-digest': digest,
    ...(subject !== undefined && { 'oci-subject': subject }),
  });
}

interface Manifest {
  readonly mediaType?: string;
  readonly artifactType?: string;
  readonly config?: { readonly digest: string; readonly mediaType: string; readonly urls?: string[] };
  readonly layers?: readonly { readonly digest: string; readonly urls?: string[] }[];
  readonly manifests?: readonly { readonly digest: string }[];
  readonly subject?: { readonly digest: string };
  readonly annotations?: Record<string, string>;
}

function parseManifest(bytes: Uint8Array): Manifest {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8')) as Manifest;
  } catch {
    throw new Refusal(400, 'MANIFEST_INVALID', 'manifest invalid');
  }
}

function serveTags(call: Call): void {
  const { content, name, query } = call;
  const repository = content.repository(name);
  if (!repository) throw new Refusal(404, 'NAME_UNKNOWN', 'repository name not known to registry');
  const last = query.get('last') ?? '';
  const limit = query.has('n') ? Number(query.get('n')) : Infinity;
  const following = [...repository.tags.keys()].sort().filter((tag) => tag > last);
  const tags = following.slice(0, limit);
  const next = following.length > tags.length && tags.length > 0;
  const link = next ? { link: `</v2/${name}/tags/list?n=${limit}&last=${tags.at(-1)}>; rel="next"` } : {};
  return answer(call, 200, { 'content-type': 'application/json', ...link }, JSON.stringify({ name, tags }));
}

const INDEX = 'application/vnd.oci.image.index.v1+json';

function serveReferrers(call: Call): void {
  const { content, name, rest: digest, query, options } = call;
  if (options.referrers === false) throw new Refusal(404, 'NOT_FOUND', 'no such resource');
  const repository = content.repository(name);
  const wanted = query.get('artifactType');
  const manifests = [...(repository?.manifests ?? [])].flatMap(([own, mediaType]) => {
    const bytes = content.read(own) ?? new Uint8Array();
    const manifest = parseManifest(bytes);
    const artifactType = manifest.artifactType ?? manifest.config?.mediaType;
    if (manifest.subject?.digest !== digest || (wanted !== null && artifactType !== wanted)) return [];
    const { annotations } = manifest;
    return [
      { mediaType, digest: own, size: bytes.length, artifactType, ...(annotations && { annotations }) },
    ];
  });
  const filtered: Record<string, string> = wanted === null ? {} : { 'oci-filters-applied': 'artifactType' };
  const body = JSON.stringify({ schemaVersion: 2, mediaType: INDEX, manifests });
  return answer(call, 200, { 'content-type': INDEX, ...filtered }, body);
}
