// The error for people when a registry says no: METHOD, host, repository, status, what the body says, which credentials
// were used, which scope was wanted, which proxy or mirror is in effect, and one hint. Codes decide the exit status.
import { OnlayError, type ErrorCode } from '../../errors.ts';
import type { Answer } from './answer.ts';
import { IMMUTABLE_TAG, quirkOf } from './quirks.ts';
import type { Method } from './transport.ts';

export interface ServerMessage {
  readonly codes: readonly string[];
  readonly text: string;
}

export interface RefusalContext {
  /** "read manifest 1.27 of docker.io/library/nginx". */
  readonly doing: string;
  readonly method: Method;
  /** What to log in to. */
  readonly registry: string;
  /** Undefined: none were found. */
  readonly credentials: string | undefined;
  readonly scopes: readonly string[];
  readonly notes: readonly string[];
}

const BODY_LIMIT = 64 << 10;
const TEXT_LIMIT = 300;

/**
 * Reads what the body of a refusal says; HEAD has none. Never throws. `secrets` are cut out: a server may send back what
 * it was sent.
 */
export async function serverMessage(
  answer: Answer,
  method: Method,
  secrets: readonly string[],
): Promise<ServerMessage> {
  if (method === 'HEAD') {
    await answer.discard();
    return { codes: [], text: '' };
  }
  const bytes = await answer.bytes({ limit: BODY_LIMIT, what: 'Error body' }).catch(() => new Uint8Array());
  let body = Buffer.from(bytes).toString('utf8');
  for (const secret of secrets)
    for (const form of [secret, JSON.stringify(secret).slice(1, -1)])
      if (form.length >= 4) body = body.replaceAll(form, '***');
  return parseMessage(body, answer.header('content-type') ?? '');
}

/** ` (CODE: message)`, or nothing. */
export function quote({ codes, text }: ServerMessage): string {
  const parts = [codes.join(', '), text].filter((part) => part !== '').join(': ');
  return parts === '' ? '' : ` (${parts})`;
}

/** The error that stands for an answer nobody can go on with. */
export function refusal(answer: Answer, said: ServerMessage, context: RefusalContext): OnlayError {
  const code = codeOf(answer.status, said, context);
  const details = [
    `${context.method} answered ${answer.status}${quote(said)}`,
    ...(answer.status === 401 || answer.status === 403 ? authDetails(context) : []),
    ...rateDetails(answer),
    ...context.notes,
  ].join(', ');
  const message = `Cannot ${context.doing}: ${details}`;
  return new OnlayError(code, message, {
    hint: hintFor(answer, said, code, context),
  });
}

/** True when the answer to a write means that the tag exists and may not be moved. */
export function isImmutableTag(status: number, said: ServerMessage, hostname: string): boolean {
  const text = `${said.codes.join(' ')} ${said.text}`;
  if (status === 412) return true;
  if (![400, 403, 405, 409, 423].includes(status)) return false;
  return status === 409 || IMMUTABLE_TAG.test(text) || (quirkOf(hostname)?.immutableTag?.test(text) ?? false);
}

function parseMessage(body: string, contentType: string): ServerMessage {
  try {
    const value = JSON.parse(body) as Record<string, unknown> | null;
    const errors = Array.isArray(value?.['errors']) ? (value['errors'] as unknown[]) : [value];
    const objects = errors.filter((error) => typeof error === 'object' && error !== null) as Record<
      string,
      unknown
    >[];
    const texts = (keys: readonly string[]): string[] =>
      objects.flatMap((error) => {
        const text = keys.map((key) => error[key]).find((value) => typeof value === 'string' && value !== '');
        return typeof text === 'string' ? [text] : [];
      });
    return {
      codes: [...new Set(texts(['code', 'error']))].map(shorten),
      text: shorten([...new Set(texts(['message', 'error_description', 'details', 'detail']))].join('; ')),
    };
  } catch {
    const title = /<title[^>]*>([^<]{0,200})/i.exec(body)?.[1];
    const isPage = title !== undefined || /html/i.test(contentType);
    const text = isPage ? `a web page${title === undefined ? '' : `, "${title.trim()}"`}` : body.trim();
    return { codes: [], text: shorten(text) };
  }
}

function shorten(text: string): string {
  return text.length > TEXT_LIMIT ? `${text.slice(0, TEXT_LIMIT)}…` : text;
}

function codeOf(status: number, said: ServerMessage, { method, credentials }: RefusalContext): ErrorCode {
  const writes = method !== 'GET' && method !== 'HEAD';
  if (status === 401 || status === 403 || status === 451)
    return credentials === undefined ? 'AUTH_REQUIRED' : 'AUTH_DENIED';
  // docker-registry: 404, 400, or 500 for a foreign layer it may not have
  if (writes && said.codes.includes('MANIFEST_BLOB_UNKNOWN')) return 'TARGET_REFUSED';
  if (status === 404) return 'IMAGE_NOT_FOUND';
  if (status === 407) return 'NETWORK';
  if (status === 408) return 'TIMEOUT';
  if (status === 429 || status >= 500 || status < 400 || !writes) return 'SERVER';
  if (said.codes.includes('DIGEST_INVALID')) return 'DIGEST_MISMATCH';
  if (said.codes.includes('SIZE_INVALID')) return 'SIZE_MISMATCH';
  return 'TARGET_REFUSED';
}

function authDetails({ credentials, scopes }: RefusalContext): string[] {
  return [
    credentials === undefined ? 'no credentials' : `credentials: ${credentials}`,
    ...(scopes.length > 0 ? [`wanted scope ${scopes.join(' ')}`] : []),
  ];
}

function rateDetails(answer: Answer): string[] {
  if (answer.status !== 429) return [];
  const remaining = answer.header('ratelimit-remaining');
  const limit = answer.header('ratelimit-limit');
  const after = answer.header('retry-after');
  return [
    ...(limit === undefined ? [] : [`limit ${limit}`]),
    ...(remaining === undefined ? [] : [`remaining ${remaining}`]),
    ...(after === undefined ? [] : [`retry after ${after}`]),
  ];
}

function hintFor(
  answer: Answer,
  said: ServerMessage,
  code: ErrorCode,
  context: RefusalContext,
): string | undefined {
  const quirk = quirkOf(answer.url.hostname);
  const login = `log in with: onlay login ${context.registry}`;
  if (answer.status === 429)
    return quirk?.rateHint ?? 'the registry limits requests; try again later, or log in for a higher limit';
  switch (code) {
    case 'AUTH_REQUIRED':
      return quirk?.deniedHint ?? login;
    case 'AUTH_DENIED':
      return (
        quirk?.deniedHint ??
        `the user needs the right for this repository, or the login has expired; ${login}`
      );
    case 'IMAGE_NOT_FOUND':
      return (
        quirk?.missingHint ?? 'check the name and the tag; without rights some registries answer the same'
      );
    case 'TARGET_REFUSED':
      if (answer.status === 405 || said.codes.includes('UNSUPPORTED'))
        return 'the registry is read-only or a cache; push to another with -t';
      if (answer.status === 413) return 'a proxy before the registry limits the size of requests';
      return said.text.startsWith('a web page') ? 'a proxy answered instead of the registry' : undefined;
    default:
      return said.text.startsWith('a web page') ? 'a proxy answered instead of the registry' : undefined;
  }
}
